from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from media.advice import ADVICE
from media.crops import Crop
from media.formats import ACCEPT, MAX_BYTES, TOO_LARGE, check_bytes
from media.wire import Refusal


class PictureField(forms.FileField):
    """A picture, judged by its size in bytes alone.

    Not Django's ImageField, which opens the file in the web process, with every decoder that Pillow has. Whether it
    is a picture is found out in the background, behind limits.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            allow_empty_file=True,  # refused below, in the same words as everywhere
            # The last two are for the script that refuses what is too large before it is sent.
            widget=forms.FileInput(
                attrs={
                    "accept": ACCEPT,
                    "data-max-bytes": MAX_BYTES,
                    "data-too-large": f"{TOO_LARGE} {ADVICE['too_large']}",
                }
            ),
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


CROP = ("crop_x", "crop_y", "crop_size")


class AvatarForm(forms.Form):
    image = PictureField(
        label="New picture",
        help_text="JPEG, PNG, WebP, GIF or AVIF, up to 10 MB.",
        error_messages={"required": "Choose a picture first."},
    )
    # The square to show. A script fills them in; without one they are empty, and it is the middle.
    crop_x = forms.IntegerField(required=False)
    crop_y = forms.IntegerField(required=False)
    crop_size = forms.IntegerField(required=False)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **options})

    def clean(self) -> dict[str, Any]:
        """Return what was filled in, and ``crop``, the square."""
        data = {**self.cleaned_data}
        if [name for name in CROP if self.errors.pop(name, None)]:
            raise ValidationError(
                "The square that was chosen is not made of whole numbers.", code="invalid_crop"
            )
        try:
            data["crop"] = Crop.of(*(data[name] for name in CROP))
        except Refusal as refusal:
            raise ValidationError(refusal.detail, code=refusal.code) from refusal
        return data
