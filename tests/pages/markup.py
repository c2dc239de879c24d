"""A page as a browser reads it: what it loads, what it runs, what it labels."""

from html.parser import HTMLParser

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Markup(HTMLParser):
    """`text` is what people read, `loads` what the browser fetches. `faults` lists everything that our pages must not have; an empty list is a clean page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.loads: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self._ids: set[str] = set()
        self._labelled: set[str] = set()
        self._controls: list[tuple[str | None, bool]] = []
        self.feed(text)
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag in self._open]
        self.faults += [
            f"control {control!r} has no label"
            for control, in_label in self._controls
            if not in_label and control not in self._labelled
        ]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._check_attributes(tag, given)
        if tag == "label" and given.get("for"):
            self._labelled.add(given["for"])
        if tag in {"input", "select", "textarea"} and given.get("type") != "hidden":
            self._controls.append((given.get("id"), "label" in self._open or "aria-label" in given))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes something else, line {self.getpos()[0]}")

    def handle_data(self, data: str) -> None:
        self.text += data

    def _check_attributes(self, tag: str, given: dict[str, str | None]) -> None:
        where = f"<{tag}> in line {self.getpos()[0]}"
        if tag == "style" or "style" in given:
            self.faults.append(f"inline style: {where}")
        if tag == "script" and "src" not in given and given.get("type") != "application/json":
            self.faults.append(f"inline script: {where}")
        if tag == "img" and not {"alt", "width", "height"} <= given.keys():
            self.faults.append(f"image without alt, width or height: {where}")
        self.faults += [f"inline handler {name}: {where}" for name in given if name.startswith("on")]
        if given.get("id") in self._ids:
            self.faults.append(f"id {given['id']!r} twice: {where}")
        self._ids.add(given.get("id") or "")
        target = given.get("src") or given.get("action") or given.get("href") or "/"
        if not target.startswith(("/", "#", "?")) or target.startswith("//"):
            self.faults.append(f"leads elsewhere, {target}: {where}")
        if tag in {"script", "link", "img"} and given.keys() & {"src", "href"}:
            self.loads.append(target)
