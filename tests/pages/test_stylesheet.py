"""The colours: every text on its ground reaches WCAG AA (4.5 to 1), every edge of a control 3 to 1, light and dark."""

import re
from itertools import product

import pytest
from django.contrib.staticfiles import finders

LIGHT, DARK = 0, 1
GROUNDS = ["ground", "surface"]
STATUS = ["good", "bad", "warn", "info"]
TEXTS = [
    *product(["ink", "muted", "accent", *STATUS], GROUNDS),
    *((colour, f"{colour}-soft") for colour in [*STATUS, "accent"]),
    ("accent-ink", "accent"),
    ("ink", "accent-soft"),
    ("ink", "line"),
    ("muted", "line"),
]
EDGES = list(product(["edge", "accent"], GROUNDS))


def css() -> str:
    with open(finders.find("css/site.css"), encoding="utf-8") as file:  # noqa: PTH123  the finder gives a string
        return file.read()


def palette(scheme: int) -> dict[str, str]:
    blocks = re.findall(r":root \{(.*?)\}", css(), re.DOTALL)
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", blocks[scheme]))


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
@pytest.mark.parametrize(("text", "ground"), TEXTS)
def test_text_can_be_read(scheme, text, ground):
    colours = palette(scheme)

    assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
@pytest.mark.parametrize(("edge", "ground"), EDGES)
def test_controls_can_be_seen(scheme, edge, ground):
    colours = palette(scheme)

    assert contrast(colours[edge], colours[ground]) >= 3


def test_both_schemes_name_the_same_colours():
    assert palette(LIGHT).keys() == palette(DARK).keys()


def test_the_stylesheet_asks_nobody_else_for_anything():
    assert re.findall(r"url\(|@import|https?:", css()) == []
