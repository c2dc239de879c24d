"""What holds for every page, as a browser sees it: nothing for axe to find, little to load, nobody else asked, nothing jumps."""

from collections.abc import Callable, Iterator

import pytest

from proj.servers.environment import BASE_DIR
from tests.browser.look import Look, look_at
from tests.browser.pages import ALL, path_of
from tests.browser.scene import Scene, set_up

#: Bytes of a page and all that it loads, and queries. Long forms of Django's admin are made of much HTML, jQuery and calendars.
WEIGHT, WEIGHT_OF_DJANGOS, QUERIES = 100_000, 140_000, 15
#: The columns of a table are set anew when a busy machine has shown its first rows before the others came. Django's forms are put
#: together by scripts, and move a little more: up to 0.1 is good, https://web.dev/articles/cls
SHIFT, SHIFT_OF_DJANGOS = 0.002, 0.1
#: A table of all pages is left here.
TABLE = BASE_DIR / "var" / "test" / "browser" / "pages.md"
EVERY = pytest.mark.parametrize("name", [page.name for page in ALL])


def is_djangos(path: str) -> bool:
    """Tell whether a page is made of Django's admin; its first page and those of queues are ours."""
    return path.startswith("/admin/") and path != "/admin/" and not path.startswith("/admin/queues/")


@pytest.fixture(scope="module")
def scene(shop) -> Iterator[Scene]:
    with set_up(shop) as scene:
        yield scene


@pytest.fixture(scope="module")
def looks() -> Iterator[dict[str, Look]]:
    """Every look that was taken; written down at the end."""
    looks: dict[str, Look] = {}
    yield looks
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    head = "| page | queries | kB | first byte, ms | shift | axe, light | axe, dark |\n|---|---|---|---|---|---|---|\n"
    rows = [
        f"| {each.name} | {each.queries} | {each.weight / 1000:.0f} | {each.milliseconds:.0f} "
        f"| {each.shift:.3f} | {len(each.light)} | {len(each.dark)} |\n"
        for each in looks.values()
    ]
    TABLE.write_text(head + "".join(rows), encoding="utf-8")


@pytest.fixture(scope="module")
def look(shop, chrome, scene, looks) -> Callable[[str], Look]:
    """Return a function that looks at a page, once however many tests ask."""

    def look(name: str) -> Look:
        if name not in looks:
            path = path_of(pages[name], scene, shop.person("admin"))
            looks[name] = look_at(chrome, shop, name, pages[name].who, path)
        return looks[name]

    pages = {page.name: page for page in ALL}
    return look


@EVERY
def test_axe_finds_nothing_in_light_and_in_dark(look, name):
    seen = look(name)

    assert (seen.light, seen.dark) == ([], [])


@EVERY
def test_it_says_nothing_on_the_console_asks_no_other_host_and_keeps_to_the_policy(look, name):
    assert look(name).complaints == []


@EVERY
def test_it_and_all_it_loads_is_small_and_takes_few_queries(look, name):
    seen = look(name)

    assert seen.weight < (WEIGHT_OF_DJANGOS if is_djangos(seen.path) else WEIGHT)
    assert seen.queries < QUERIES


@EVERY
def test_nothing_jumps_and_a_phone_need_not_be_scrolled_sideways(look, name):
    seen = look(name)

    assert seen.shift <= (SHIFT_OF_DJANGOS if is_djangos(seen.path) else SHIFT)
    assert seen.overflow == 0
