"""Pictures made for a test."""

import io

from django.http import FileResponse
from PIL import Image

RED, GREEN, BLUE, YELLOW = (220, 20, 20), (20, 160, 20), (20, 20, 220), (230, 220, 20)


def encode(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def quarters(size: int = 64) -> Image.Image:
    """Red and green above blue and yellow: every turn and every mirror image looks different."""
    image = Image.new("RGB", (size, size))
    half = size // 2
    for colour, corner in [(RED, (0, 0)), (GREEN, (half, 0)), (BLUE, (0, half)), (YELLOW, (half, half))]:
        image.paste(colour, (*corner, corner[0] + half, corner[1] + half))
    return image


def plain(colour: tuple[int, int, int] = RED) -> bytes:
    """A picture of one colour, so that each colour is an upload of its own."""
    return encode(Image.new("RGB", (64, 64), colour))


def served(response: FileResponse) -> bytes:
    """Return what a response streams, and close it; which closes the database connection: not inside a transaction."""
    assert response.status_code == 200
    data = response.getvalue()
    response.close()
    return data
