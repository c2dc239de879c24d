"""How far an order is, in people's words: what its page shows, computed from its rows and stored nowhere."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from orders.models import Order, OrderStep
from orders.states import Status, Step, StepState


class Words(NamedTuple):
    """What a status is called."""

    chip: str
    look: str  # good, bad, warn or info: how the chip is coloured
    sentence: str


STATUS_WORDS: dict[str, Words] = {
    Status.PLACED: Words("Placed", "info", "We have your order. You may leave this page at any time."),
    Status.VALIDATED: Words("Checked", "info", "Your order is in order. Now we set your goods aside."),
    Status.RESERVED: Words(
        "Set aside", "info", "Your goods are set aside for you. Next we charge your card."
    ),
    Status.CHARGING: Words("Paying", "info", "We are charging your card."),
    Status.PAID: Words("Paid", "info", "Your payment has arrived. Now we pack your goods."),
    Status.FULFILLED: Words("Sent", "info", "Your goods are on their way. We are writing to you."),
    Status.COMPLETED: Words("Completed", "good", "All done. Thank you for your order."),
    Status.REJECTED: Words("Not accepted", "bad", "We could not take this order. You have not been charged."),
    Status.OUT_OF_STOCK: Words("Sold out", "bad", "You have not been charged."),
    Status.PAYMENT_FAILED: Words(
        "Payment failed", "bad", "You have not been charged, and the goods are back on the shelf."
    ),
    Status.CANCELLED: Words("Cancelled", "warn", "This order is cancelled. You have not been charged."),
}

STEP_TITLES: dict[str, str] = {
    Step.VALIDATE: "Check the order",
    Step.RESERVE_STOCK: "Set the goods aside",
    Step.CHARGE: "Charge the card",
    Step.FULFIL: "Pack and send",
    Step.NOTIFY_CUSTOMER: "Write to you",
    Step.RECORD_SALE: "Enter the sale in the books",
}

# state -> (word, class of the timeline's mark)
STATE_WORDS: dict[str, tuple[str, str]] = {
    StepState.QUEUED: ("To do", "is-waiting"),
    StepState.RUNNING: ("Under way", "is-running"),
    StepState.SUCCEEDED: ("Done", "is-done"),
    StepState.FAILED: ("Did not work", "is-failed"),
    StepState.RETRYING: ("Trying again", "is-retrying"),
    StepState.CANCELLED: ("Not needed", "is-skipped"),
}


UNSETTLED = (StepState.QUEUED, StepState.RUNNING, StepState.RETRYING)

# A step whose task ran to its end, but with an answer that ended the order. status -> (step, word)
REFUSALS: dict[str, tuple[str, str]] = {
    Status.REJECTED: (Step.VALIDATE, "Not accepted"),
    Status.OUT_OF_STOCK: (Step.RESERVE_STOCK, "Sold out"),
    Status.PAYMENT_FAILED: (Step.CHARGE, "Declined"),
}


def duration(span: timedelta) -> str:
    """Return a time span as people say it: "0.12 s", "34 s", "5 min", "3 h"."""
    seconds = span.total_seconds()
    for limit, text in (
        (10, f"{seconds:.2f} s"),
        (120, f"{seconds:.0f} s"),
        (7200, f"{seconds / 60:.0f} min"),
    ):
        if seconds < limit:
            return text
    return f"{seconds / 3600:.0f} h"


@dataclass(frozen=True)
class Stage:
    """One step of the timeline."""

    title: str
    word: str
    mark: str
    attempt: int
    started_at: datetime | None
    finished_at: datetime | None
    error: str

    @property
    def took(self) -> str:
        """How long it took, such as "0.12 s"; empty while it runs or when it never ran."""
        if self.started_at is None or self.finished_at is None:
            return ""
        return duration(self.finished_at - self.started_at)


@dataclass(frozen=True)
class Timeline:
    """What an order's page shows of its progress. `seen` changes whenever anything of it does.

    `took` is how long the whole order took, once it is completed.
    """

    chip: str
    look: str
    sentence: str
    stages: list[Stage]
    done: int
    took: str
    seen: str


def read_timeline(order: Order, steps: Iterable[OrderStep]) -> Timeline:
    """Return the progress of an order. Asks the database nothing."""
    stages = [_stage(order, step) for step in steps]
    words = STATUS_WORDS[order.status]
    return Timeline(
        chip=words.chip,
        look=words.look,
        sentence=words.sentence,
        stages=stages,
        done=sum(stage.mark == "is-done" for stage in stages),
        took=duration(order.updated_at - order.placed_at) if order.status == Status.COMPLETED else "",
        seen=sha256(repr((order.status, order.reason, stages)).encode()).hexdigest()[:16],
    )


def _stage(order: Order, step: OrderStep) -> Stage:
    state = step.state
    if order.is_final and state in UNSETTLED:
        # The order's end is stored a moment before its last task reports that it is through.
        state = StepState.SUCCEEDED if order.status == Status.COMPLETED else StepState.CANCELLED
    word, mark = STATE_WORDS[state]
    refused_step, refused_word = REFUSALS.get(order.status, ("", ""))
    if step.name == refused_step:
        word, mark = refused_word, "is-failed"
    return Stage(
        title=STEP_TITLES[step.name],
        word=word,
        mark=mark,
        attempt=step.attempt,
        started_at=step.started_at,
        finished_at=step.finished_at,
        error=step.error,
    )
