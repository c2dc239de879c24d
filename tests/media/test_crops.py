"""The arithmetic of squares, against Pillow's way of turning a picture."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from media.crops import Crop
from media.formats import MAX_SIDE
from media.wire import Refusal
from tests.media.test_images import ORIENTATION

SIDE = st.integers(1, 40)


@st.composite
def square_of(draw, width: int, height: int) -> Crop:
    size = draw(st.integers(1, min(width, height)))
    return Crop(draw(st.integers(0, width - size)), draw(st.integers(0, height - size)), size)


def numbered(width: int, height: int) -> Image.Image:
    """A picture whose every pixel is different."""
    image = Image.new("RGB", (width, height))
    image.putdata([(x % 256, y % 256, 7) for y in range(height) for x in range(width)])
    return image


@given(st.data(), st.integers(1, 8), SIDE, SIDE)
def test_a_square_of_the_upright_picture_is_found_in_the_stored_one(data, orientation, width, height):
    stored = numbered(width, height)
    stored.getexif()[ORIENTATION] = orientation
    upright = ImageOps.exif_transpose(stored)
    crop = data.draw(square_of(*upright.size))

    x, y, size = crop.stored(orientation, width, height)

    part = stored.crop((x, y, x + size, y + size))
    part.getexif()[ORIENTATION] = orientation
    wanted = upright.crop((crop.x, crop.y, crop.x + crop.size, crop.y + crop.size))
    assert ImageOps.exif_transpose(part).tobytes() == wanted.tobytes()


@given(st.data(), st.integers(1, MAX_SIDE), st.integers(1, MAX_SIDE), st.floats(0.0001, 1))
def test_a_scaled_square_stays_within_the_picture_and_is_off_by_less_than_a_pixel(
    data, width, height, factor
):
    crop = data.draw(square_of(width, height))
    small = max(1, round(width * factor)), max(1, round(height * factor))

    x, y, size = crop.scaled(factor, *small)

    assert min(x, y) >= 0
    assert size >= 1
    assert x + size <= small[0]
    assert y + size <= small[1]
    assert abs(size - crop.size * factor) <= 1
    assert max(abs(x - crop.x * factor), abs(y - crop.y * factor)) <= 1.5


@given(st.integers(1, MAX_SIDE), st.integers(1, MAX_SIDE))
def test_the_middle_lies_within_the_picture_as_far_from_both_edges(width, height):
    crop = Crop.middle(width, height)

    crop.check_within(width, height)
    assert crop.size == min(width, height)
    assert abs(width - crop.size - 2 * crop.x) <= 1
    assert abs(height - crop.size - 2 * crop.y) <= 1


@given(st.integers(), st.integers(), st.integers())
def test_any_three_numbers_are_a_square_of_a_picture_that_we_take_or_refused(x, y, size):
    fits = x >= 0 and y >= 0 and size >= 1 and x + size <= MAX_SIDE and y + size <= MAX_SIDE
    if fits:
        assert Crop.of(x, y, size) == (x, y, size)
    else:
        with pytest.raises(Refusal) as refusal:
            Crop.of(x, y, size)
        assert refusal.value.code == "invalid_crop"


def test_no_numbers_are_no_square_and_some_are_a_mistake():
    assert Crop.of(None, None, None) is None
    for some in [(1, None, None), (None, 1, 1), (0, 0, None)]:
        with pytest.raises(Refusal) as refusal:
            Crop.of(*some)
        assert refusal.value.code == "invalid_crop"


@given(st.data(), SIDE, SIDE)
def test_a_square_that_reaches_beyond_the_picture_is_refused_and_the_picture_measured(data, width, height):
    crop = data.draw(square_of(width, height))
    crop.check_within(width, height)
    for beyond in (crop._replace(x=width - crop.size + 1), crop._replace(y=height - crop.size + 1)):
        with pytest.raises(Refusal, match=f"{width} x {height} pixels") as refusal:
            beyond.check_within(width, height)
        assert refusal.value.code == "crop_outside"


def test_rounding_both_up_does_not_push_a_square_out_of_the_picture():
    assert Crop(3, 3, 3).scaled(0.5, 3, 3) == (
        1,
        1,
        2,
    )  # 1.5 and 1.5 pixels would be rounded to 2 and 2, of 3
