"""How often the provider may be asked, by all processes together.

In no second more than so many: twice what we set would be more than Stripe allows.
"""

from proj.moving_window import MovingWindow

_CALLS = MovingWindow("rate", 1, "calls to the payment provider")


def take(what: str, *, per_second: int) -> float:
    """Count one call, if there is room for it.

    Args:
        what: whom the calls go to; each has a rate of its own.
        per_second: how many there may be in any second. May differ from call to call: those of the last second count.

    Returns:
        0 if the call may be made, which it also may while Redis is away; else the seconds until there is room.
    """
    if _CALLS.take(per_second, what) is not False:
        return 0.0
    room = _CALLS.room(per_second, what)
    return max(room.reset, 0.001) if room else 0.0  # at least that: it may have come free meanwhile
