import pytest

from media.formats import MAX_BYTES, check_bytes, check_shape, sniff
from media.wire import Refusal


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"GIF87a", "GIF"),
        (b"GIF89a", "GIF"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "WebP"),
        (b"\x00\x00\x00\x20ftypavif\x00\x00\x00\x00mif1miaf", "AVIF"),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avif", "AVIF"),
    ],
)
def test_a_format_is_known_by_its_first_bytes(data, name):
    assert sniff(data) == name


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"<svg",
        b"%!PS-Adobe",
        b"BM",
        b"II*\x00",
        b"RIFF\x00\x00\x00\x00WAVE",
        b"\x00\x00\x00\x18ftypmp42",
    ],
)
def test_what_is_no_picture_of_ours_is_refused(data):
    with pytest.raises(Refusal) as refusal:
        sniff(data)
    assert refusal.value.code == "not_an_image"


def test_heic_is_refused_by_its_name_with_a_way_out():
    with pytest.raises(Refusal, match="Save it as a JPEG") as refusal:
        sniff(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic")
    assert refusal.value.code == "unsupported_format"


@pytest.mark.parametrize(("size", "code"), [(0, "empty"), (MAX_BYTES + 1, "too_large")])
def test_a_file_is_refused_by_its_size(size, code):
    with pytest.raises(Refusal) as refusal:
        check_bytes(size)
    assert refusal.value.code == code


def test_ten_megabytes_are_taken():
    assert MAX_BYTES == 10 * 1024 * 1024
    check_bytes(MAX_BYTES)
    check_bytes(1)


@pytest.mark.parametrize(
    ("width", "height", "code"),
    [
        (6001, 4000, "too_many_pixels"),
        (65500, 65500, "too_many_pixels"),
        (1001, 100, "too_elongated"),
        (1, 11, "too_elongated"),
        (65500, 1, "too_elongated"),
    ],
)
def test_a_picture_is_refused_by_its_shape(width, height, code):
    with pytest.raises(Refusal, match=f"{width} x {height}") as refusal:
        check_shape(width, height)
    assert refusal.value.code == code


@pytest.mark.parametrize(("width", "height"), [(6000, 4000), (1, 1), (100, 1000), (1, 10)])
def test_a_picture_of_a_sane_shape_is_taken(width, height):
    check_shape(width, height)
