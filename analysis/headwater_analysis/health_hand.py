"""The message in hand: the lowest offset of a partition that a group holds and does not finish."""

from collections.abc import Iterable
from dataclasses import dataclass

UNLEARNED_LIMIT_SECONDS = 60.0
"""How long a message may be handled where nothing is learned of its hop."""
LEAST_FAILURES = 3
QUIET_SECONDS = 15.0
QUIET_GAPS = 5
"""A failing message that the group has committed past is still in hand while it is begun again within these seconds,
or this many times its usual gap: delays between attempts may double."""


@dataclass(frozen=True)
class Hand:
    """A message that a handler holds, or whose deliveries of the last five minutes all failed."""

    offset: int
    service: str | None = None
    held_seconds: float | None = None
    """For how long it has been in flight by its process's last report; None: in nobody's hands, as far as known."""
    limit_seconds: float = UNLEARNED_LIMIT_SECONDS
    """How long its handling may take."""
    failures: int = 0
    """Deliveries of it in the last five minutes; none of them was done."""
    first_at: float | None = None
    """When the first of those began, in seconds since the epoch."""
    last_at: float | None = None
    """When the last of those began."""
    error: str | None = None
    """Error of the last of those."""
    last_offset: int | None = None
    """The offset that the group began last on this partition."""


def overdue(hand: Hand, patience: float) -> bool:
    """In flight beyond its limit, and longer than the group is ever silent."""
    return hand.held_seconds is not None and hand.held_seconds > max(hand.limit_seconds, patience)


def failing(hand: Hand, committed: int | None, now: float) -> bool:
    """Begun three times or more and never done, unless the group committed past it and went on."""
    if hand.failures < LEAST_FAILURES:
        return False
    if committed is None or committed <= hand.offset:
        return True
    between = ((hand.last_at or 0.0) - (hand.first_at or 0.0)) / (hand.failures - 1)
    quiet = now - (hand.last_at or 0.0) > max(QUIET_SECONDS, QUIET_GAPS * between)
    went_on = hand.last_offset is not None and hand.last_offset > hand.offset
    return not (quiet or went_on)


def unfinished(hands: Iterable[Hand], patience: float, committed: int | None, now: float) -> Hand | None:
    """The lowest that is overdue or failing; None when there is none."""
    found = [hand for hand in hands if overdue(hand, patience) or failing(hand, committed, now)]
    return min(found, key=lambda hand: hand.offset, default=None)
