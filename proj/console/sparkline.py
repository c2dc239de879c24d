"""A curve the size of a word, as the path of an inline SVG: no script, no style, nothing to load."""

from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 120, 24
_PAD = 2  # half of a line at the edge would be cut off


class Sparkline(NamedTuple):
    """What the template draws."""

    line: str  # the path of all that ended
    failures: str  # a stroke at the bottom for each minute in which something failed; often empty
    words: str  # the same, for who does not see it


def draw(ended: Sequence[int], failed: Sequence[int]) -> Sparkline:
    """Return the curve of so many jobs a minute, oldest first."""
    top = max(*ended, 1)
    step = WIDTH / max(len(ended) - 1, 1)
    points = [
        f"{index * step:.1f},{HEIGHT - _PAD - (HEIGHT - 2 * _PAD) * count / top:.1f}"
        for index, count in enumerate(ended)
    ]
    strokes = [f"M{index * step:.1f},{HEIGHT}v-5" for index, count in enumerate(failed) if count]
    words = f"{sum(ended):,} ended in the last hour, {max(ended, default=0):,} in the busiest minute, {sum(failed):,} failed"
    return Sparkline("M" + " L".join(points), "".join(strokes), words)
