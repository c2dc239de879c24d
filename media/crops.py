"""The square that a person cuts out of a picture. Pure arithmetic: no image library, no Django."""

from typing import NamedTuple, Self

from media.formats import MAX_SIDE
from media.wire import Refusal


class Crop(NamedTuple):
    """A square in pixels of the picture as people see it: upright, and before anything is scaled."""

    x: int  # from its left edge
    y: int  # from its top
    size: int  # of each side

    @classmethod
    def of(cls, x: int | None, y: int | None, size: int | None) -> Self | None:
        """Return the square that was asked for, or None when none was: then it is the middle.

        Raises:
            Refusal: ``invalid_crop``, when numbers are missing or lie in no picture that we take.
        """
        if x is None and y is None and size is None:
            return None
        if x is None or y is None or size is None:
            raise Refusal(
                "invalid_crop", "A square needs three numbers: where it begins across and down, and its size."
            )
        if min(x, y) < 0 or size < 1 or max(x, y) + size > MAX_SIDE:
            raise Refusal("invalid_crop", "The square that was chosen lies in no picture that we take.")
        return cls(x, y, size)

    @classmethod
    def middle(cls, width: int, height: int) -> Self:
        """Return the largest square in the middle of a picture of this size."""
        size = min(width, height)
        return cls((width - size) // 2, (height - size) // 2, size)

    def check_within(self, width: int, height: int) -> None:
        """Refuse a square that does not lie within an upright picture of this size.

        Raises:
            Refusal: ``crop_outside``.
        """
        if self.x + self.size > width or self.y + self.size > height:
            raise Refusal(
                "crop_outside",
                f"The square that was chosen reaches beyond the picture, which is {width} x {height} pixels.",
            )

    def stored(self, orientation: int, width: int, height: int) -> "Crop":
        """Return where this square lies in the picture as its file holds it.

        Args:
            orientation: EXIF's number, 1 to 8, for what turns the stored picture upright.
            width: of the stored picture.
            height: of the stored picture.
        """
        # From the other edge where the picture is mirrored that way; across and down change places from 5 on.
        x, y = (self.x, self.y) if orientation < TRANSPOSED else (self.y, self.x)
        if orientation in MIRRORED_ACROSS:
            x = width - x - self.size
        if orientation in MIRRORED_DOWN:
            y = height - y - self.size
        return Crop(x, y, self.size)

    def scaled(self, factor: float, width: int, height: int) -> "Crop":
        """Return the nearest square of whole pixels in the same picture at ``factor`` times its size.

        Args:
            factor: at most 1.
            width: of the scaled picture, which the square does not leave however things are rounded.
            height: of the scaled picture.
        """
        size = max(1, min(round(self.size * factor), width, height))
        return Crop(
            min(round(self.x * factor), width - size), min(round(self.y * factor), height - size), size
        )


# EXIF's numbers, by what they say of the stored picture: columns and rows exchanged; the first column is the right
# one; the first row is the lowest.
UPRIGHT = 1
TRANSPOSED = 5
MIRRORED_ACROSS = {2, 3, 7, 8}
MIRRORED_DOWN = {3, 4, 6, 7}
