"""The ways to make thumbnails that benchmarks/thumbnails.py compares. Each takes a file's bytes and returns the files."""

import io
from collections.abc import Callable

import pyvips
from PIL import Image, ImageCms, ImageOps

from media.formats import sniff
from media.images import JPEG, MAIL_SIZE, SIZES, STRICT, TINY, TINY_WEBP, WEBP, make_thumbnails, shrinking

QUALITY, METHOD = WEBP["Q"], WEBP["effort"]  # the same for all

Way = Callable[[bytes], list[object]]


def ours(data: bytes) -> list[object]:
    return make_thumbnails(data)


def pillow_once(data: bytes) -> list[object]:
    image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP", "GIF"))
    image.draft("RGB", (SIZES[0] * 2, SIZES[0] * 2))
    image.load()
    profile = image.info.get("icc_profile")
    clear = "A" in image.mode or "transparency" in image.info
    image = image.convert("RGBA" if clear else "RGB")
    side = min(image.size)
    box = (
        (image.width - side) / 2,
        (image.height - side) / 2,
        (image.width + side) / 2,
        (image.height + side) / 2,
    )
    square = image.resize((SIZES[0], SIZES[0]), Image.Resampling.LANCZOS, box=box, reducing_gap=2.0)
    if clear:
        white = Image.new("RGBA", square.size, "white")
        white.alpha_composite(square)
        square = white.convert("RGB")
    square = ImageOps.exif_transpose(square)
    if profile:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        square = ImageCms.profileToProfile(square, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    made = []
    for size in SIZES:
        square = square if square.width == size else square.reduce(2)
        made.append(pillow_save(square, size))
        if size == MAIL_SIZE:
            made.append(pillow_save(square, size, "JPEG"))
    return made


def pillow_loop(data: bytes) -> list[object]:
    made = []
    for size, kind in [*((size, "WEBP") for size in SIZES), (MAIL_SIZE, "JPEG")]:
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
        made.append(pillow_save(ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS), size, kind))
    return made


def pillow_save(square: Image.Image, size: int, kind: str = "WEBP") -> bytes:
    buffer = io.BytesIO()
    if kind == "JPEG":
        square.save(buffer, kind, quality=JPEG["Q"], optimize=True)
    else:
        square.save(buffer, kind, quality=QUALITY, method=METHOD, lossless=size <= TINY)
    return buffer.getvalue()


def easy(data: bytes) -> list[object]:
    from easy_thumbnails.files import Thumbnailer  # noqa: PLC0415  reads Django's settings when imported

    thumbnailer = Thumbnailer(io.BytesIO(data), name="photograph.jpg")
    made = []
    for size, extension in [*((size, "webp") for size in SIZES), (MAIL_SIZE, "jpg")]:
        thumbnailer.file.seek(0)
        thumbnailer.thumbnail_extension = extension
        options = {"size": (size, size), "crop": True, "quality": QUALITY}
        made.append(thumbnailer.generate_thumbnail(options).read())
    return made


def floor(data: bytes, squares: list[tuple[int, bytes]], *, whole: bool = False) -> list[object]:
    """Decode and encode. The squares to encode were made before, outside of what is measured."""
    header = pyvips.Image.new_from_buffer(data, "")
    options = {**STRICT, **({} if whole else shrinking(sniff(data), header.width, header.height))}
    decoded = pyvips.Image.new_from_buffer(data, "", **options)
    decoded.crop(0, decoded.height - 1, decoded.width, 1).avg()  # the last line wants all before it
    made = []
    for size, pixels in squares:
        square = pyvips.Image.new_from_memory(pixels, size, size, 3, "uchar").copy(interpretation="srgb")
        made.append(square.webpsave_buffer(keep="none", **(TINY_WEBP if size <= TINY else WEBP)))
        if size == MAIL_SIZE:
            made.append(square.jpegsave_buffer(keep="none", **JPEG))
    return made
