"""How far an order is, in people's words: what its page shows, computed from its rows and stored nowhere."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from django.utils.formats import date_format

from orders.balance import Balance
from orders.models import Order, OrderStep
from orders.money import format_money
from orders.payments.models import RefundState
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
    Status.REJECTED: Words("Not accepted", "bad", "We could not take this order."),
    Status.OUT_OF_STOCK: Words("Sold out", "bad", "We could not set all of it aside."),
    Status.PAYMENT_FAILED: Words("Payment failed", "bad", "The goods are back on the shelf."),
    Status.CANCELLED: Words("Cancelled", "warn", "This order is cancelled."),
    Status.REFUNDED: Words("Refunded", "warn", "This order is over."),
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
    StepState.CANCELLED: ("Not done", "is-skipped"),
}
# state -> (word, how its chip is coloured)
REFUND_WORDS: dict[str, tuple[str, str]] = {
    RefundState.REQUESTED: ("Under way", "info"),
    RefundState.UNKNOWN: ("Under way", "info"),
    RefundState.SUCCEEDED: ("Gone back", "good"),
    RefundState.FAILED: ("Did not work", "bad"),
}

#: Seconds between two looks at an order that is over but for its money: the provider may take hours.
PAUSE_FOR_MONEY = 10

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


def tell_money(order: Order, balance: Balance) -> str:
    """Return what the customer should know about their money beyond the order's status; empty if there is nothing.

    That nothing was charged is said only when it is known.
    """
    told = []
    if balance.returned and balance.returned_at is not None:
        day = date_format(balance.returned_at, "j F Y")
        told.append(f"{format_money(balance.returned, balance.currency)} went back to your card on {day}.")
    if balance.returning:
        sum_back = format_money(balance.returning, balance.currency)
        told.append(f"{sum_back} is about to go back to your card; we write to you when it does.")
    if order.is_final and order.status != Status.COMPLETED:
        told.append(_tell_rest(balance))
    return " ".join(part for part in told if part)


def _tell_rest(balance: Balance) -> str:
    """Return what is to be said of the money of an order that ended early, beyond what goes back or has gone."""
    if balance.is_open:
        return "The payment had begun: we are asking whether your card was charged, and if so, all of it goes back."
    if balance.is_uncharged:
        return "You have not been charged."
    if balance.left:
        sum_left = format_money(balance.left, balance.currency)
        return f"We still have {sum_left} of yours, and are seeing to it that it goes back to your card."
    return ""


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

    `took` is how long the whole order took, once it is completed. `pause` is after how many seconds it is worth a new
    look; 0 when nothing is to come.
    """

    chip: str
    look: str
    sentence: str
    pause: int
    stages: list[Stage]
    done: int
    took: str
    seen: str


def read_timeline(order: Order, steps: Iterable[OrderStep], balance: Balance, waits: str = "") -> Timeline:
    """Return the progress of an order. Asks the database nothing.

    Args:
        order: whose.
        steps: of the order, in the order in which they start.
        balance: of the order.
        waits: why nothing happens to it at the moment (`orders.waiting`); empty if something does.

    """
    stages = [_stage(order, step, balance) for step in steps]
    words = STATUS_WORDS[order.status]
    told = (order.reason, words.sentence, tell_money(order, balance), waits)
    sentence = " ".join(part for part in told if part)
    refunds = [(refund.pk, refund.state, refund.amount) for refund in balance.refunds]
    return Timeline(
        chip=words.chip,
        look="warn" if waits else words.look,
        sentence=sentence,
        pause=1 if not order.is_final else PAUSE_FOR_MONEY if balance.is_moving else 0,
        stages=stages,
        done=sum(stage.mark == "is-done" for stage in stages),
        took=duration(order.updated_at - order.placed_at) if order.status == Status.COMPLETED else "",
        seen=sha256(repr((order.status, sentence, refunds, stages)).encode()).hexdigest()[:16],
    )


def _stage(order: Order, step: OrderStep, balance: Balance) -> Stage:
    state = step.state
    if order.is_final and state in UNSETTLED:
        # The order's end is stored a moment before its last task reports that it is through.
        state = StepState.SUCCEEDED if order.status == Status.COMPLETED else StepState.CANCELLED
    word, mark = STATE_WORDS[state]
    refused_step, refused_word = REFUSALS.get(order.status, ("", ""))
    if step.name == refused_step:
        word, mark = refused_word, "is-failed"
    if step.name == Step.CHARGE and order.is_final and balance.is_open:
        word, mark = "Being looked up", "is-retrying"
    return Stage(
        title=STEP_TITLES[step.name],
        word=word,
        mark=mark,
        attempt=step.attempt,
        started_at=step.started_at,
        finished_at=step.finished_at,
        error=step.error,
    )
