import io
import struct
import zlib

import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from media.images import SIZES, make_thumbnails
from media.wire import Encoded, Refusal
from tests.media.corpus import has_metadata
from tests.media.pictures import BLUE, GREEN, RED, YELLOW, encode, plain, quarters

ORIENTATION = 0x0112
# How a camera stores an upright picture, for each value of the tag: the inverse of what a reader must do.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
SECRETS = [b"SECRET-EXIF", b"SECRET-XMP", b"SECRET-COMMENT", b"SECRET-TEXT"]


def opened(thumbnail: Encoded) -> Image.Image:
    return Image.open(io.BytesIO(thumbnail.content)).convert("RGB")


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    near, far = image.width // 8, image.width * 7 // 8
    return [image.getpixel(at) for at in [(near, near), (far, near), (near, far), (far, far)]]


def alike(colours: list[tuple[int, ...]], wanted: list[tuple[int, ...]], off: int = 12) -> bool:
    return all(
        abs(a - b) <= off for p, q in zip(colours, wanted, strict=True) for a, b in zip(p, q, strict=True)
    )


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_claiming(width: int, height: int) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"")) + png_chunk(b"IEND", b"")


def refused(data: bytes) -> str:
    with pytest.raises(Refusal) as refusal:
        make_thumbnails(data)
    return refusal.value.code


def test_there_are_five_squares_and_one_jpeg_for_mail():
    made = [(each.format, each.size, each.width, each.height) for each in make_thumbnails(plain())]
    assert made == [
        ("webp", 512, 512, 512),
        ("webp", 256, 256, 256),
        ("webp", 128, 128, 128),
        ("webp", 64, 64, 64),
        ("webp", 32, 32, 32),
        ("jpeg", 128, 128, 128),
    ]


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(kind, orientation):
    stored = quarters() if STORED[orientation] is None else quarters().transpose(STORED[orientation])
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    for thumbnail in make_thumbnails(encode(stored, kind, exif=exif, quality=95)):
        assert alike(corners(opened(thumbnail)), [RED, GREEN, BLUE, YELLOW], off=30), thumbnail.size


def test_the_square_is_the_middle():
    wide = Image.new("RGB", (300, 100), BLUE)
    wide.paste(RED, (100, 0, 200, 100))
    tall = wide.transpose(Image.Transpose.ROTATE_90)
    for picture in (wide, tall):
        assert alike(corners(opened(make_thumbnails(encode(picture))[0])), [RED] * 4)


def test_transparency_is_put_on_white():
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    clear.paste((*RED, 255), (0, 0, 32, 32))
    white = (255, 255, 255)
    for kind in ("PNG", "WEBP", "GIF"):
        square = opened(make_thumbnails(encode(clear, kind))[0])
        assert alike(corners(square), [RED, white, white, white], off=20), kind


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "CMYK", "RGBA"])
def test_every_mode_becomes_plain_rgb(mode):
    picture = Image.new("RGB", (64, 64), "white").convert(mode)
    data = encode(picture, "JPEG" if mode == "CMYK" else "PNG")
    for thumbnail in make_thumbnails(data):
        with Image.open(io.BytesIO(thumbnail.content)) as image:
            assert image.mode == "RGB"
            assert alike([image.getpixel((9, 9))], [(255, 255, 255)], off=3)


def test_sixteen_bits_become_eight():
    grey = Image.new("I;16", (64, 64), 0x8000)
    assert alike([opened(make_thumbnails(encode(grey))[0]).getpixel((9, 9))], [(128, 128, 128)], off=2)


def test_an_embedded_profile_is_converted():
    # sRGB with the colorants of red and green exchanged: what its numbers call red is green to the eye.
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exchanged = profile.replace(b"rXYZ", b"----").replace(b"gXYZ", b"rXYZ").replace(b"----", b"gXYZ")
    for kind in ("JPEG", "PNG", "WEBP"):
        data = encode(Image.new("RGB", (64, 64), (255, 0, 0)), kind, icc_profile=exchanged, quality=95)
        for thumbnail in make_thumbnails(data):
            assert alike([opened(thumbnail).getpixel((9, 9))], [(0, 255, 0)]), (kind, thumbnail.size)


def test_only_the_first_frame_counts():
    frames = [Image.new("RGB", (32, 32), colour) for colour in (RED, GREEN, BLUE)]
    for kind in ("GIF", "WEBP", "PNG"):
        data = encode(frames[0], kind, save_all=True, append_images=frames[1:], duration=50, loop=0)
        assert alike([opened(make_thumbnails(data)[0]).getpixel((9, 9))], [RED]), kind


def test_nothing_but_pixels_comes_out():
    exif = Image.Exif()
    exif[0x010E] = "SECRET-EXIF"
    exif.get_ifd(0x8825)[2] = (51.0, 30.0, 0.0)
    texts = PngInfo()
    texts.add_text("Comment", "SECRET-TEXT", zip=False)
    texts.add_itxt("Author", "SECRET-TEXT")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    uploads = [
        encode(
            quarters(), "JPEG", exif=exif, xmp=b"SECRET-XMP", comment=b"SECRET-COMMENT", icc_profile=profile
        ),
        encode(quarters(), "PNG", exif=exif, pnginfo=texts, icc_profile=profile),
        encode(quarters(), "WEBP", exif=exif, xmp=b"SECRET-XMP", icc_profile=profile),
    ]
    for data in uploads:
        assert any(secret in data for secret in SECRETS)
        for thumbnail in make_thumbnails(data):
            assert not has_metadata(thumbnail)
            assert not any(secret in thumbnail.content for secret in SECRETS)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_a_truncated_picture_is_refused(kind, share):
    noise = Image.effect_noise((200, 200), 90).convert("RGB")
    data = encode(noise, kind)
    assert refused(data[: int(len(data) * share)]) == "damaged"


@pytest.mark.parametrize("turn", [1, 6])
def test_a_picture_that_is_cut_short_below_its_square_is_refused(turn):
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    data = encode(Image.effect_noise((100, 600), 90).convert("RGB"), "JPEG", exif=exif)
    assert len(make_thumbnails(data)) == 6
    assert refused(data[: len(data) * 9 // 10]) == "damaged"


def test_a_picture_is_judged_by_what_its_header_claims_before_a_pixel_is_read():
    assert refused(png_claiming(60_000, 60_000)) == "too_many_pixels"
    assert refused(png_claiming(2000, 100)) == "too_elongated"
    assert refused(png_claiming(100, 100)) == "damaged"  # the claim is fine, the pixels are missing


def test_an_orientation_does_not_smuggle_a_shape_past_the_limits():
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    assert refused(encode(Image.new("RGB", (1100, 100)), "JPEG", exif=exif)) == "too_elongated"


@pytest.mark.parametrize("kind", ["TIFF", "BMP", "ICO", "PPM", "TGA"])
def test_a_format_that_is_not_on_the_list_is_refused(kind):
    assert refused(encode(quarters(), kind)) == "not_an_image"


def test_the_smallest_picture_is_enlarged():
    assert len(make_thumbnails(encode(Image.new("RGB", (1, 1), RED)))) == len(SIZES) + 1
