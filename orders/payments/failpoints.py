"""Where the tests of faults may kill a process that handles money, in the order in which it passes."""

from typing import Final

POINTS: Final = (
    "payment:begun",  # the attempt is committed; the provider has not been asked
    "payment:asked",  # the provider has answered; nothing is settled
    "payment:settled",  # everything that follows is written; the transaction is open
    "refund:begun",  # the refund is committed; the provider has not been asked
    "refund:asked",  # the provider has answered; nothing is settled
    "refund:settled",  # everything that follows is written; the transaction is open
    "event:stored",  # a webhook is written; the transaction is open
    "event:fetched",  # what it is about has been fetched; nothing is settled
)
