import pytest

from proj.console.sparkline import HEIGHT, WIDTH, draw


def points(line):
    return [tuple(map(float, point.lstrip("ML").split(","))) for point in line.split()]


def test_the_busiest_minute_is_at_the_top_and_an_idle_one_at_the_bottom():
    curve = draw([0, 4, 2], [0, 1, 0])

    assert points(curve.line) == [(0, HEIGHT - 2), (WIDTH / 2, 2), (WIDTH, HEIGHT / 2)]
    assert curve.failures == f"M{WIDTH / 2:.1f},{HEIGHT}v-5"
    assert curve.words == "6 ended in the last hour, 4 in the busiest minute, 1 failed"


@pytest.mark.parametrize("ended", [[0] * 60, [7], [10**9] * 60])
def test_every_curve_stays_within_its_frame(ended):
    curve = draw(ended, [0] * len(ended))

    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points(curve.line))
