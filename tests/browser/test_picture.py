"""The picture of a person: chosen or dropped, cut out by mouse or by keyboard, made ready before one's eyes, refused in words."""

import base64
import io
from typing import Any

from PIL import Image
from playwright.sync_api import Page, expect

from media.formats import MAX_BYTES
from tests.browser.scene import PICTURE
from tests.browser.shopping import sign_up
from tests.browser.window import Complaints
from tests.media.pictures import BLUE, RED, encode, quarters

#: Each quarter has a colour of its own; the smallest square, of 64 pixels, lies within one.
SIDE = 400
NAME, KIND, BYTES = "quarters.png", "image/png", encode(quarters(SIDE))
IN_USE = "Your new picture is in use."
DROP = """([part, name, kind, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type: kind }));
  const options = { dataTransfer, bubbles: true, cancelable: true };
  return document.querySelector(part).dispatchEvent(new DragEvent("drop", options));
}"""


def go_to_the_profile(page: Page) -> Page:
    sign_up(page)
    page.goto("/profile/")  # until it is loaded, script and all
    return page


def choose(page: Page, name: str = NAME, kind: str = KIND, data: bytes = BYTES) -> None:
    page.locator("input[type=file]").set_input_files({"name": name, "mimeType": kind, "buffer": data})


def drop(page: Page, part: str) -> bool:
    """Drop the picture on a part of the page; tell whether the browser would now show it instead of the page."""
    return bool(page.evaluate(DROP, [part, NAME, KIND, base64.b64encode(BYTES).decode()]))


def upload(page: Page) -> None:
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#avatar")).to_contain_text(IN_USE)


def stored(page: Page) -> dict[str, Any]:
    newest: dict[str, Any] = page.request.get("/api/v1/avatars").json()["items"][0]
    return newest


def is_all(page: Page, colour: tuple[int, int, int]) -> bool:
    """Whether the largest thumbnail has this colour and no other."""
    [largest] = [each["url"] for each in stored(page)["thumbnails"] if each["size"] == 512]
    with Image.open(io.BytesIO(page.request.get(largest).body())) as image:
        shown = image.convert("RGB").getextrema()
    return all(abs(seen - true) < 16 for channel, true in zip(shown, colour, strict=True) for seen in channel)


def test_a_picture_becomes_five_thumbnails_before_ones_eyes(window, shop):
    page = window()
    complaints = Complaints(page, shop.url)
    go_to_the_profile(page)
    page.locator("input[type=file]").set_input_files(PICTURE)
    page.get_by_role("button", name="Upload").click()

    thumbnails = page.locator("#thumbnails img")
    expect(thumbnails).to_have_count(5)

    for thumbnail in thumbnails.all():
        expect(thumbnail).to_have_js_property("complete", True)
        assert thumbnail.evaluate("image => image.naturalWidth") > 0
    assert complaints == []


def test_the_square_that_is_chosen_by_keyboard_is_the_one_that_is_stored(window):
    page = go_to_the_profile(window())
    choose(page)
    page.get_by_label("Closer").press("End")
    expect(page.get_by_label("Closer")).to_have_attribute("aria-valuetext", "a square of 64 pixels")
    page.get_by_label("Left and right").press("Home")
    page.get_by_label("Up and down").press("End")
    upload(page)

    assert stored(page)["crop"] == {"x": 0, "y": SIDE - 64, "size": 64}
    assert is_all(page, BLUE)


def test_the_square_that_is_chosen_by_mouse_is_the_one_that_is_stored(window):
    page = go_to_the_profile(window())
    choose(page)
    page.get_by_label("Closer").press("End")
    view = page.get_by_role("img", name="The square that you have chosen")
    view.scroll_into_view_if_needed()
    box = view.bounding_box()
    assert box
    x, y, half = box["x"] + box["width"] / 4, box["y"] + box["height"] / 4, box["width"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(
        x + half, y + half, steps=4
    )  # the picture goes along: what was half a square to the left is seen
    page.mouse.up()
    upload(page)

    half_a_square_less = (SIDE - 64) // 2 - 32
    crop = stored(page)["crop"]
    # A pixel of the screen is a fifth of one of the picture.
    assert (crop["x"] - half_a_square_less, crop["y"] - half_a_square_less) in {
        (0, 0),
        (0, -1),
        (-1, 0),
        (-1, -1),
    }
    assert crop["size"] == 64
    assert is_all(page, RED)


def test_a_picture_is_dropped_and_beside_the_box_it_does_no_harm(window):
    page = go_to_the_profile(window())

    assert not drop(page, "h1")
    expect(page.locator("#cropper")).to_be_hidden()
    assert not drop(page, "#upload-zone")
    expect(page.locator("#cropper")).to_be_visible()
    upload(page)

    assert stored(page)["crop"] == {"x": 0, "y": 0, "size": SIDE}


def test_what_is_no_picture_is_refused_in_words(window):
    page = go_to_the_profile(window())
    choose(page, "cat.jpg", "image/jpeg", b"This is no picture at all.")
    expect(page.locator("#upload-blind")).to_be_visible()
    page.get_by_role("button", name="Upload").click()

    expect(page.locator("#avatar")).to_contain_text("This is not a JPEG, PNG, WebP, GIF or AVIF picture.")
    expect(page.locator("#thumbnails img")).to_have_count(0)


def test_what_is_too_large_is_refused_before_it_is_sent(window, tmp_path):
    page = go_to_the_profile(window())
    sent: list[str] = []
    page.on("request", lambda request: request.method == "POST" and sent.append(request.url))
    (tmp_path / NAME).write_bytes(BYTES + bytes(MAX_BYTES))
    page.locator("input[type=file]").set_input_files(tmp_path / NAME)

    expect(page.locator("#upload-errors")).to_contain_text("The file is larger than 10 MB.")
    expect(page.locator("#cropper")).to_be_hidden()
    assert page.locator("input[type=file]").input_value() == ""
    assert sent == []
