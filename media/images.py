"""One picture in, its thumbnails out, or a refusal. Pure: no files, no database, no Django.

Every thumbnail is square (the one that was chosen, or the middle), upright (EXIF orientation applied), sRGB with 8 bits, opaque, and
carries no metadata at all. Colours: an embedded profile (Display P3, Adobe RGB, a printer's CMYK) is converted and
dropped; CMYK without one is read as SWOP-like press colours; grey, palettes and 16 bits become RGB. Transparency is
put on white, so that an avatar looks the same on every page and in every mail client.

One decode serves all sizes: libvips shrinks while it decodes, straight to the largest square, and every smaller size
is made from the one before. Why libvips and not Pillow: docs/adr/0003.
"""

from typing import Any

import pyvips

from media.crops import TRANSPOSED, UPRIGHT, Crop
from media.formats import check_bytes, check_shape, sniff
from media.wire import SIZES, Encoded, Refusal

MAIL_SIZE = 128  # some mail clients cannot show WebP: they get a JPEG of this size
# Measured on camera photographs at 512 pixels: effort 2 takes 9 ms and 29.3 kB, the default of 4 takes 19 ms and
# 28.4 kB, 0.3 dB better. Quality 80 is where WebP's own default of 75 stops showing on faces.
WEBP = {"Q": 80, "effort": 2}
# Lossy WebP halves the colours' resolution: at 32 pixels that shows on sharp colours (up to 16 of 255 in a quarter of
# the picture). Lossless is exact and takes at most 3 kB there, in 0.5 ms.
TINY_WEBP = {"lossless": True, "effort": 2}
TINY = 32
JPEG = {"Q": 85, "optimize_coding": True}
# "error" refuses what is truncated or does not decode cleanly. (To be given to a loader: thumbnail_buffer() has a
# parameter of this name too, and ignores it.)
STRICT = {"access": "sequential", "fail_on": "error"}
# The decoders of JPEG and WebP can shrink, which is cheap, and leave at least this much to the resampling, which is
# better. 1.4 lets the usual 12 megapixels of a phone be read at a quarter: against a full decode the square differs
# by 46 dB, an eighth of what WebP's compression does to it.
LEFT_TO_RESAMPLE = 1.4

# libvips finds the loader by itself, so the loaders that it may find are named here and all others are blocked.
LOADERS = ("Jpeg", "Png", "Webp", "Nsgif", "Heif")
_OPERATIONS = (
    *("jpegload_buffer", "pngload_buffer", "webpload_buffer", "gifload_buffer", "heifload_buffer"),
    *(
        "crop",
        "thumbnail_image",
        "colourspace",
        "flatten",
        "autorot",
        "shrink",
        "webpsave_buffer",
        "jpegsave_buffer",
    ),
)


def prepare() -> None:
    """Set libvips up for strangers' pictures. Once in a process, before the first picture; starts no thread."""
    pyvips.block_untrusted_set(True)
    pyvips.operation_block_set("VipsForeignLoad", True)
    for loader in LOADERS:
        pyvips.operation_block_set(f"VipsForeignLoad{loader}", False)
    pyvips.cache_set_max(0)  # every picture is seen once
    for name in _OPERATIONS:
        pyvips.Introspect.get(name)  # what pyvips would otherwise look up for each picture: 5 ms


def make_thumbnails(data: bytes, crop: Crop | None = None) -> list[Encoded]:
    """Return the five WebP squares, largest first, and the JPEG for mail after them.

    Args:
        data: the file as it was uploaded.
        crop: the square to show; None for the middle.

    Raises:
        Refusal: the picture cannot be used; its code and detail say why.
    """
    check_bytes(len(data))
    kind = sniff(data)
    try:
        square = upright_square(data, kind, crop)
        squares = [square]
        while squares[-1].width > SIZES[-1]:
            squares.append(squares[-1].shrink(2, 2).copy_memory())
        return [_webp(each) for each in squares] + [_jpeg(squares[SIZES.index(MAIL_SIZE)])]
    except pyvips.Error as error:
        raise _refusal(error) from error


def upright_square(data: bytes, kind: str, crop: Crop | None) -> Any:
    """Return a square of the picture in the largest size: a decoded pyvips image, 8 bit sRGB, opaque.

    Args:
        data: the file.
        kind: its format, as :func:`media.formats.sniff` calls it.
        crop: the square; None for the middle.

    Raises:
        Refusal: by the header, before a pixel is decoded.
        pyvips.Error: the pixels cannot be decoded.
    """
    header = pyvips.Image.new_from_buffer(data, "")
    check_shape(header.width, header.height)
    asked = _stored_square(header, crop)
    options = shrinking(kind, asked.size, asked.size)
    whole = pyvips.Image.new_from_buffer(data, "", **STRICT, **options)
    factor = options.get("scale", 1 / options.get("shrink", 1))
    square = asked.scaled(factor, whole.width, whole.height)
    strip, top = whole.crop(square.x, 0, square.size, whole.height), square.y
    if square.size < SIZES[0]:
        # To be enlarged, at worst from one pixel: the square alone, or the strip could become 500 times as high.
        # What is kept of a strip that is narrower than 512 pixels is at most 64 MB.
        strip, top = strip.copy_memory().crop(0, top, square.size, square.size), 0
    profile = {"output_profile": "srgb"} if whole.get_typeof("icc-profile-data") else {}
    # Converts the profile and weighs colours by their opacity. As wide as the square, and as high as that makes it.
    scaled = strip.thumbnail_image(SIZES[0], height=max(SIZES[0], strip.height), no_rotate=True, **profile)
    if scaled.interpretation != "srgb":
        scaled = scaled.colourspace("srgb")
    if scaled.hasalpha():
        scaled = scaled.flatten(background=255)
    # All lines are decoded here, also those below the square: a picture that is cut short there is damaged too.
    scaled = scaled.copy_memory()
    top = min(round(top * SIZES[0] / square.size), scaled.height - SIZES[0])
    return scaled.crop(0, top, SIZES[0], SIZES[0]).autorot()


def _stored_square(header: Any, crop: Crop | None) -> Crop:
    """Return where the square lies in the picture as it is stored, which is how the loaders give it."""
    width, height = header.width, header.height
    if crop is None:
        return Crop.middle(width, height)
    orientation = header.get("orientation") if header.get_typeof("orientation") else UPRIGHT
    if orientation < TRANSPOSED:
        crop.check_within(width, height)
    else:
        crop.check_within(height, width)
    return crop.stored(orientation, width, height)


def shrinking(kind: str, width: int, height: int) -> dict[str, float]:
    """Return the options that make a loader shrink a picture of this size while it decodes, if it can."""
    factor = min(width, height) / SIZES[0] / LEFT_TO_RESAMPLE
    if kind == "JPEG":
        return {"shrink": next((shrink for shrink in (8, 4, 2) if factor >= shrink), 1)}
    if kind == "WebP":
        return {"scale": min(1 / factor, 1)}
    return {}


def _webp(square: Any) -> Encoded:
    options = TINY_WEBP if square.width <= TINY else WEBP
    content = square.webpsave_buffer(keep="none", **options)
    return Encoded(square.width, "webp", square.width, square.height, content)


def _jpeg(square: Any) -> Encoded:
    content = square.jpegsave_buffer(keep="none", **JPEG)
    return Encoded(square.width, "jpeg", square.width, square.height, content)


def _refusal(error: Exception) -> Refusal:
    if "out of memory" in str(error):
        return Refusal.too_costly()
    return Refusal("damaged", "The picture is damaged or incomplete, and cannot be read.")
