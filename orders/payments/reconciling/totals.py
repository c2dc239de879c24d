"""What was compared, in figures: for each currency what the provider, our payments and the books say."""

from dataclasses import asdict, dataclass, field
from typing import Any

from orders.payments.reconciling.captures import Capture, Money
from orders.payments.reconciling.givebacks import Giveback


@dataclass(slots=True)
class Side:
    """What one ledger says, in minor units."""

    captured: int = 0
    returned: int = 0

    @property
    def kept(self) -> int:
        return self.captured - self.returned


@dataclass(slots=True)
class Figures:
    """One currency."""

    provider: Side = field(default_factory=Side)
    here: Side = field(default_factory=Side)
    books: Side = field(default_factory=Side)


@dataclass(slots=True)
class Totals:
    """Everything that was compared. What is in flight, or is not ours, is counted and stands in no sum."""

    currencies: dict[str, Figures] = field(default_factory=dict)
    payments: int = 0
    refunds: int = 0
    in_flight: int = 0
    foreign: int = 0

    def add_capture(self, capture: Capture) -> None:
        self.payments += 1
        self._add("captured", capture.captured, capture.settled, capture.booked)

    def add_giveback(self, giveback: Giveback) -> None:
        self.refunds += 1
        self._add("returned", giveback.returned, giveback.settled, giveback.booked)

    def as_json(self) -> dict[str, Any]:
        return {
            "payments": self.payments,
            "refunds": self.refunds,
            "in_flight": self.in_flight,
            "foreign": self.foreign,
            "currencies": {
                currency: asdict(self.currencies[currency]) for currency in sorted(self.currencies)
            },
        }

    def _add(self, what: str, provider: Money | None, here: Money | None, books: Money | None) -> None:
        for ledger, money in (("provider", provider), ("here", here), ("books", books)):
            if money is not None:
                amount, currency = money
                side = getattr(self.currencies.setdefault(currency, Figures()), ledger)
                setattr(side, what, getattr(side, what) + amount)
