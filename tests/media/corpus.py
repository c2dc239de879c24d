"""Pictures of strangers, good and hostile, and what becomes of each: ``python -m tests.media.corpus`` prints the table.

The whole collection (319 files) is used where it lies beside the repository, in ``../shared/data/images``; otherwise
the small subset in ``tests/media/images``, in the same form.
"""

import csv
import io
import json
import sys
import tarfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageCms, ImageOps

from media.images import MAIL_SIZE, SIZES
from media.sandbox import sandbox
from media.wire import Encoded, Refusal

HERE = Path(__file__).resolve().parent
WHOLE = HERE.parents[1].parent / "shared" / "data" / "images"
SUBSET = HERE / "images"
TOLERANCE = 12  # of 255, for each cell of the grid and each channel
Grid = list[tuple[int, ...]]


class Row(NamedTuple):
    """One picture, with what must become of it."""

    file: str
    verdict: str  # accept, reject, either or accept_if_supported
    note: str
    data: bytes
    reference: dict | None  # {"upright": [width, height], "grid4": 16 mean colours of the whole picture}


class Outcome(NamedTuple):
    """What became of it: accepted, refused, wrong (accepted, but not right), or crashed."""

    row: Row
    result: str
    detail: str
    seconds: float
    thumbnails: list[Encoded]

    @property
    def as_asked(self) -> bool:
        """Whether the verdict allows the result."""
        allowed = {"accept": {"accepted"}, "reject": {"refused"}}
        return self.result in allowed.get(self.row.verdict, {"accepted", "refused"})


def rows() -> Iterator[Row]:
    """Yield every picture of the whole collection, or of the subset."""
    folder = WHOLE if (WHOLE / "manifest.csv").exists() else SUBSET
    read = _archived(folder) if folder == WHOLE else _unpacked(folder)
    references = json.loads((folder / "reference_grids.json").read_text())
    with (folder / "manifest.csv").open(newline="") as manifest:
        for line in csv.DictReader(manifest):
            name = line["file"]
            yield Row(name, line["verdict"], line["note"], read[name], references.get(name))


def _archived(folder: Path) -> dict[str, bytes]:
    files = {}
    for archive in ("good", "hostile"):
        with tarfile.open(folder / f"{archive}.tar.xz") as tar:
            for member in tar:
                if member.isfile():
                    files[f"{archive}/dev/{member.name.removeprefix('./')}"] = tar.extractfile(member).read()
    return files


def _unpacked(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def judge(row: Row) -> Outcome:
    """Put one picture through the sandbox and look at what comes out."""
    begin = time.monotonic()
    try:
        thumbnails = sandbox.make_thumbnails(row.data).thumbnails
        result, detail = "accepted", ""
    except Refusal as refusal:
        thumbnails, result, detail = [], "refused", f"{refusal.code}: {refusal.detail}"
    except Exception as error:  # noqa: BLE001  counted, and shown
        thumbnails, result, detail = [], "crashed", repr(error)
    seconds = time.monotonic() - begin
    if thumbnails:
        detail = "; ".join(faults(row, thumbnails))
        result = "wrong" if detail else "accepted"
    return Outcome(row, result, detail, seconds, thumbnails)


def faults(row: Row, thumbnails: list[Encoded]) -> Iterator[str]:
    """Yield what is wrong with the thumbnails of an accepted picture."""
    made = [(each.format, each.size, each.width, each.height) for each in thumbnails]
    if made != [*(("webp", size, size, size) for size in SIZES), ("jpeg", MAIL_SIZE, MAIL_SIZE, MAIL_SIZE)]:
        yield f"made {made}"
    expected = expected_grid(row)
    for each in thumbnails:
        if has_metadata(each):
            yield f"metadata in {each.format} {each.size}"
        with Image.open(io.BytesIO(each.content)) as image:
            if image.size != (each.width, each.height) or image.mode != "RGB":
                yield f"{each.format} {each.size} is {image.size} {image.mode}"
            if expected and (off := difference(grid(image), expected)) > TOLERANCE:
                yield f"{each.format} {each.size} is off by {off}"


def expected_grid(row: Row) -> Grid | None:
    """Return the mean colours that the square must have, by another library than the one under test.

    The reference says how the whole picture looks, not its middle. So Pillow reads the picture, is checked against
    the reference, and then gives the colours of the middle. None when the reference says not to judge.
    """
    if row.reference is None or row.verdict != "accept" or "do not judge colour" in row.note:
        return None
    whole = pillow_picture(row.data)
    reference = [tuple(cell) for cell in row.reference["grid4"]]
    assert list(whole.size) == row.reference["upright"], row.file
    assert difference(grid(whole), reference) <= TOLERANCE, row.file
    side = min(whole.size)
    return grid(ImageOps.fit(whole, (side, side)))


def pillow_picture(data: bytes) -> Image.Image:
    """Return a picture upright, in sRGB, on white, as Pillow sees it."""
    with warnings.catch_warnings(action="ignore"):
        image = Image.open(io.BytesIO(data))
        profile = image.info.get("icc_profile")
        if image.mode == "I;16":
            clear = image.info.get("transparency")
            grey = image.point(lambda value: value / 256).convert("L")
            mask = image.point(lambda value: 255 if value != clear else 0).convert("L") if clear else None
            image = Image.composite(grey, Image.new("L", grey.size, 255), mask) if mask else grey
        image = ImageOps.exif_transpose(image)
        if profile and image.mode in {"RGB", "RGBA", "CMYK", "L"}:
            image = _to_srgb(image, profile)
        coloured = image.convert("RGBA")
    white = Image.new("RGBA", coloured.size, "white")
    white.alpha_composite(coloured)
    return white.convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError):  # a profile that nobody can read counts as none
        return image


def grid(image: Image.Image) -> Grid:
    """Return the mean colour of each of 4 x 4 cells."""
    small = image.resize((4, 4), Image.Resampling.BOX)
    return [small.getpixel((x, y)) for y in range(4) for x in range(4)]


def difference(one: Grid, other: Grid) -> int:
    """Return the largest difference of any channel in any cell."""
    return max(abs(a - b) for p, q in zip(one, other, strict=True) for a, b in zip(p, q, strict=True))


def has_metadata(thumbnail: Encoded) -> bool:
    """Tell whether a file holds anything but pixels."""
    content = thumbnail.content
    if thumbnail.format == "webp":  # the simple file format: one chunk, which is the picture, to the end
        length = int.from_bytes(content[16:20], "little")
        return content[12:16] not in {b"VP8 ", b"VP8L"} or len(content) != 20 + length + length % 2
    position = 2
    while content[position + 1] != 0xDA:  # up to the scan: no APP1 to APP15, no comment
        if 0xE1 <= content[position + 1] <= 0xEF or content[position + 1] == 0xFE:
            return True
        position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
    return not content.endswith(b"\xff\xd9")


def table(outcomes: list[Outcome]) -> str:
    """Return the outcomes as people read them: verdicts down, results across."""
    counts = Counter((each.row.verdict, each.result) for each in outcomes)
    results = ["accepted", "refused", "wrong", "crashed"]
    lines = [f"{'verdict':<22}" + "".join(f"{result:>10}" for result in results)]
    lines += [
        f"{verdict:<22}" + "".join(f"{counts[verdict, result]:>10}" for result in results)
        for verdict in ["accept", "accept_if_supported", "either", "reject"]
    ]
    slowest = max(outcomes, key=lambda each: each.seconds)
    lines.append(f"{len(outcomes)} pictures; slowest {slowest.seconds:.2f} s ({slowest.row.file})")
    lines += [f"{each.row.file}: {each.result}: {each.detail}" for each in outcomes if not each.as_asked]
    return "\n".join(lines)


if __name__ == "__main__":
    everything = [judge(row) for row in rows()]
    print(table(everything))  # noqa: T201
    sys.exit(0 if all(each.as_asked for each in everything) else 1)
