from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from media.formats import ACCEPT, check_bytes
from media.wire import Refusal


class PictureField(forms.FileField):
    """A picture, judged by its size in bytes alone.

    Not Django's ImageField, which opens the file in the web process, with every decoder that Pillow has. Whether it
    is a picture is found out in the background, behind limits.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            allow_empty_file=True,  # refused below, in the same words as everywhere
            widget=forms.FileInput(attrs={"accept": ACCEPT}),
            **kwargs,
        )

    def clean(self, data: Any, initial: Any = None) -> "UploadedFile[Any]":
        """Return the file.

        Raises:
            ValidationError: there is none, it is empty or too large; with the code of the refusal.
        """
        file: UploadedFile[Any] = super().clean(data, initial)
        try:
            check_bytes(file.size or 0)
        except Refusal as refusal:
            raise ValidationError(refusal.detail, code=refusal.code) from refusal
        return file


class AvatarForm(forms.Form):
    image = PictureField(
        label="New picture",
        help_text="JPEG, PNG, WebP, GIF or AVIF, up to 10 MB. The middle of it is cut out as a square.",
        error_messages={"required": "Choose a picture first."},
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **options})
