"""The square that was chosen, as it comes out of real pictures, against what Pillow cuts out of them."""

import io
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageOps, ImageStat

from media.crops import Crop
from media.images import SIZES, make_thumbnails
from media.sandbox import sandbox
from media.wire import Refusal
from tests.media.corpus import TOLERANCE, difference, expected_grid, grid, pillow_picture, rows
from tests.media.pictures import RED, encode, quarters
from tests.media.test_crops import numbered
from tests.media.test_images import ORIENTATION, alike, opened

# Mean difference of a channel, of 255. Two resamplings and WebP at quality 80 stay below 4; the wrong square, or one
# that is off by a twentieth of its side, is above 8.
ALIKE = 5.0
BLOCKS = 24


def patchwork(width: int, height: int, seed: int = 1) -> Image.Image:
    """Smooth patches of random colours: every square of it looks different."""
    random = Random(seed)
    small = Image.new("RGB", (BLOCKS, BLOCKS))
    small.putdata([tuple(random.randrange(256) for _ in range(3)) for _ in range(BLOCKS**2)])
    return small.resize((width, height), Image.Resampling.BICUBIC)


def upright(data: bytes) -> Image.Image:
    return ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")


def off(data: bytes, crop: Crop, whole: Image.Image) -> float:
    """Return how far the largest thumbnail is from what Pillow cuts out, as a mean over pixels and channels."""
    made = opened(make_thumbnails(data, crop)[0])
    box = (crop.x, crop.y, crop.x + crop.size, crop.y + crop.size)
    wanted = whole.crop(box).resize((SIZES[0], SIZES[0]), Image.Resampling.BICUBIC)
    return max(ImageStat.Stat(ImageChops.difference(made, wanted)).mean)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@given(st.data(), st.integers(1, 8), st.integers(64, 2600), st.integers(64, 2600))
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_any_square_of_a_picture_in_any_orientation_is_the_one_that_comes_out(
    kind, data, orientation, width, height
):
    width, height = min(width, 10 * height), min(height, 10 * width)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    picture = encode(patchwork(width, height), kind, exif=exif, quality=92, method=0)
    whole = upright(picture)
    size = data.draw(st.integers(min(whole.size) // 3, min(whole.size)))
    x = data.draw(st.integers(0, whole.width - size))
    y = data.draw(st.integers(0, whole.height - size))

    assert off(picture, Crop(x, y, size), whole) < ALIKE


def test_the_comparison_notices_a_square_that_is_a_twentieth_off():
    picture = encode(patchwork(900, 700), "JPEG", quality=92)
    crop = Crop(100, 50, 500)
    right = opened(make_thumbnails(picture, crop)[0])
    for wrong in (crop._replace(x=125), crop._replace(y=75), crop._replace(size=475)):
        made = opened(make_thumbnails(picture, wrong)[0])
        assert max(ImageStat.Stat(ImageChops.difference(made, right)).mean) > 2 * ALIKE


def test_a_corner_of_every_real_picture_is_the_one_that_comes_out():
    misplaced = []
    pictures = [(row, pillow_picture(row.data)) for row in rows() if expected_grid(row)]
    for number, (row, whole) in enumerate(pictures):
        # The grid has four cells each way. (Where one of a few pixels were on two cells, it is how to blend that differs.)
        size = min(whole.size) * 2 // 3 // 4 * 4 or min(whole.size)
        crop = Crop((whole.width - size) * (number % 2), (whole.height - size) * (number // 2 % 2), size)
        wanted = grid(whole.crop((crop.x, crop.y, crop.x + size, crop.y + size)))
        misplaced += [
            (row.file, each.size)
            for each in sandbox.make_thumbnails(row.data, crop).thumbnails
            if difference(grid(opened(each)), wanted) > TOLERANCE
        ]
    assert misplaced == []
    assert len(pictures) > 5


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
@pytest.mark.parametrize(("x", "y"), [(0, 0), (199, 0), (0, 149), (199, 149), (77, 33)])
def test_a_single_pixel_can_be_cut_out(kind, x, y):
    picture = encode(numbered(200, 150), kind, quality=100, subsampling=0)
    colour = upright(picture).getpixel((x, y))
    square = opened(make_thumbnails(picture, Crop(x, y, 1))[0])

    assert alike([square.getpixel((9, 9)), square.getpixel((500, 500))], [colour] * 2)


def test_a_pixel_of_the_longest_picture_takes_no_more_memory_than_a_child_has():
    picture = encode(Image.new("RGB", (1500, 15_000), RED))

    thumbnails = sandbox.make_thumbnails(picture, Crop(700, 14_999, 1))

    assert len(thumbnails.thumbnails) == 6
    assert thumbnails.cost.peak_bytes < 200e6


@pytest.mark.parametrize("turn", [1, 6])
@pytest.mark.parametrize("size", [20, 100])
def test_a_picture_that_is_cut_short_below_the_square_that_was_chosen_is_refused(turn, size):
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    data = encode(Image.effect_noise((100, 600), 90).convert("RGB"), "JPEG", exif=exif)
    top_of_the_file = Crop(0, 0, size) if turn == 1 else Crop(600 - size, 0, size)
    assert len(make_thumbnails(data, top_of_the_file)) == 6
    with pytest.raises(Refusal) as refusal:
        make_thumbnails(data[: len(data) * 9 // 10], top_of_the_file)
    assert refusal.value.code == "damaged"


@pytest.mark.parametrize(
    "crop",
    [Crop(1, 0, 64), Crop(0, 1, 64), Crop(64, 0, 1), Crop(0, 64, 1), Crop(0, 0, 65), Crop(9999, 9999, 9)],
)
def test_a_square_beyond_the_picture_is_refused_in_words_before_a_pixel_is_decoded(crop):
    with pytest.raises(Refusal, match="reaches beyond the picture, which is 64 x 64 pixels") as refusal:
        sandbox.make_thumbnails(encode(quarters())[:60], crop)  # its header, and hardly a pixel
    assert refusal.value.code == "crop_outside"


def test_a_square_is_measured_on_the_upright_picture():
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    picture = encode(
        Image.new("RGB", (300, 100), RED), "JPEG", exif=exif
    )  # people see it 100 wide and 300 high

    assert len(make_thumbnails(picture, Crop(0, 200, 100))) == 6
    with pytest.raises(Refusal, match="100 x 300 pixels"):
        make_thumbnails(picture, Crop(200, 0, 100))
