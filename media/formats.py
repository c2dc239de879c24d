"""What we take, decided from the first bytes alone: a name or a content type is only what somebody claims."""

from math import isqrt

from media.wire import Refusal

MAX_BYTES = 10 * 1024 * 1024
TOO_LARGE = f"The file is larger than {MAX_BYTES // 1024**2} MB."
# A phone takes 12, a good camera 24. One byte more per channel and pixel is 24 MB: with alpha and 16 bits, 192 MB,
# which still fits the decoder's memory limit.
MAX_PIXELS = 24_000_000
# A square out of the middle of anything longer shows nothing of it.
MAX_ASPECT = 10
# What follows for the longer side.
MAX_SIDE = isqrt(MAX_PIXELS * MAX_ASPECT)

#: For the ``accept`` of a file input: only a help to whoever chooses.
ACCEPT = "image/jpeg,image/png,image/webp,image/gif,image/avif"

AVIF_BRANDS = {b"avif", b"avis"}
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def check_bytes(size: int) -> None:
    """Refuse an upload by its size alone.

    Args:
        size: of the file, in bytes.

    Raises:
        Refusal: ``empty`` or ``too_large``.
    """
    if size == 0:
        raise Refusal("empty", "The file is empty.")
    if size > MAX_BYTES:
        raise Refusal("too_large", TOO_LARGE)


def sniff(data: bytes) -> str:
    """Return the format of a picture: ``"JPEG"``, ``"PNG"``, ``"GIF"``, ``"WebP"`` or ``"AVIF"``.

    Args:
        data: the file, or at least its first 64 bytes.

    Raises:
        Refusal: ``unsupported_format`` for HEIC, which we can name but not read; ``not_an_image`` for all else.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        return _sniff_heif(data)
    raise Refusal("not_an_image", "This is not a JPEG, PNG, WebP, GIF or AVIF picture.")


def check_shape(width: int, height: int) -> None:
    """Refuse a picture by the size that its header claims, before a pixel is decoded.

    Args:
        width: in pixels.
        height: in pixels.

    Raises:
        Refusal: ``too_many_pixels`` or ``too_elongated``.
    """
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 10**6
        raise Refusal(
            "too_many_pixels",
            f"The picture has {width} x {height} pixels; the most we take is {limit} megapixels.",
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise Refusal(
            "too_elongated",
            f"The picture is {width} x {height} pixels; its longer side may be {MAX_ASPECT} times the shorter one.",
        )


def _sniff_heif(data: bytes) -> str:
    # The box's length, "ftyp", the major brand, a version, then the compatible brands.
    end = min(int.from_bytes(data[:4], "big"), 64)
    brands = {data[8:12]} | {data[at : at + 4] for at in range(16, end, 4)}
    if brands & AVIF_BRANDS:
        return "AVIF"
    if brands & HEIC_BRANDS:
        raise Refusal(
            "unsupported_format",
            "HEIC pictures cannot be read here. Save it as a JPEG, or set your camera to “most compatible”.",
        )
    raise Refusal("not_an_image", "This is not a JPEG, PNG, WebP, GIF or AVIF picture.")
