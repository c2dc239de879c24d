"""One picture in, its thumbnails out, or a refusal. Pure: no files, no database, no Django.

Every thumbnail is square (cut from the middle), upright (EXIF orientation applied), sRGB with 8 bits, opaque, and
carries no metadata at all. Colours: an embedded profile (Display P3, Adobe RGB, a printer's CMYK) is converted and
dropped; CMYK without one is read as SWOP-like press colours; grey, palettes and 16 bits become RGB. Transparency is
put on white, so that an avatar looks the same on every page and in every mail client.

One decode serves all sizes: libvips shrinks while it decodes, straight to the largest square, and every smaller size
is made from the one before. Why libvips and not Pillow: docs/adr/0003.
"""

from typing import Any

import pyvips

from media.formats import check_bytes, check_shape, sniff
from media.wire import Encoded, Refusal

SIZES = (512, 256, 128, 64, 32)
MAIL_SIZE = 128  # some mail clients cannot show WebP: they get a JPEG of this size
# Measured on camera photographs at 512 pixels: effort 2 takes 9 ms and 29.3 kB, the default of 4 takes 19 ms and
# 28.4 kB, 0.3 dB better. Quality 80 is where WebP's own default of 75 stops showing on faces.
WEBP = {"Q": 80, "effort": 2}
# Lossy WebP halves the colours' resolution: at 32 pixels that shows on sharp colours (up to 16 of 255 in a quarter of
# the picture). Lossless is exact and takes at most 3 kB there, in 0.5 ms.
TINY_WEBP = {"lossless": True, "effort": 2}
TINY = 32
JPEG = {"Q": 85, "optimize_coding": True}
# "error" refuses what is truncated or does not decode cleanly. To be given as a loader's option: thumbnail_buffer()
# has a parameter fail_on of its own and ignores it.
STRICT = "[fail_on=error]"

# libvips finds the loader by itself, so the loaders that it may find are named here and all others are blocked.
LOADERS = ("Jpeg", "Png", "Webp", "Nsgif", "Heif")
_OPERATIONS = ("thumbnail_buffer", "colourspace", "flatten", "shrink", "webpsave_buffer", "jpegsave_buffer")


def prepare() -> None:
    """Set libvips up for strangers' pictures. Once in a process, before the first picture; starts no thread."""
    pyvips.block_untrusted_set(True)
    pyvips.operation_block_set("VipsForeignLoad", True)
    for loader in LOADERS:
        pyvips.operation_block_set(f"VipsForeignLoad{loader}", False)
    pyvips.cache_set_max(0)  # every picture is seen once
    for name in _OPERATIONS:
        pyvips.Introspect.get(name)  # what pyvips would otherwise look up for each picture: 5 ms


def make_thumbnails(data: bytes) -> list[Encoded]:
    """Return the five WebP squares, largest first, and the JPEG for mail after them.

    Args:
        data: the file as it was uploaded.

    Raises:
        Refusal: the picture cannot be used; its code and detail say why.
    """
    check_bytes(len(data))
    sniff(data)
    try:
        square = upright_square(data)
        squares = [square]
        while squares[-1].width > SIZES[-1]:
            squares.append(squares[-1].shrink(2, 2).copy_memory())
        return [_webp(each) for each in squares] + [_jpeg(squares[SIZES.index(MAIL_SIZE)])]
    except pyvips.Error as error:
        raise _refusal(error) from error


def upright_square(data: bytes) -> Any:
    """Return the picture as the largest square: a decoded pyvips image, 8 bit sRGB, opaque.

    Raises:
        Refusal: by the header, before a pixel is decoded.
        pyvips.Error: the pixels cannot be decoded.
    """
    header = pyvips.Image.new_from_buffer(data, "")
    check_shape(header.width, header.height)
    profile = {"output_profile": "srgb"} if header.get_typeof("icc-profile-data") else {}
    square = pyvips.Image.thumbnail_buffer(
        data, SIZES[0], height=SIZES[0], crop="centre", option_string=STRICT, **profile
    )
    if square.interpretation != "srgb":
        square = square.colourspace("srgb")
    if square.hasalpha():
        square = square.flatten(background=255)
    return square.copy_memory()


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
