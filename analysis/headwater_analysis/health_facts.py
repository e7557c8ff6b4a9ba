"""What the health rules look at: what the last minutes say of one group on one partition."""

from collections.abc import Sequence
from typing import NamedTuple

from .health_hand import Hand
from .rates import Slope

WINDOW_SECONDS = 300.0
CHANGES_SECONDS = 600.0
LONGEST_SECONDS = 1200.0  # samples kept at most, for consumers whose commits are minutes apart
UNSETTLED_PATIENCE_SECONDS = 60.0
LEAST_PATIENCE_SECONDS = 10.0
SETTLED_CHANGES = 3
"""Changes of the committed offset from which on its pace counts as known."""
HARDLY_ANY = 10
"""Offsets in the window below which there is hardly any traffic."""
IMPLAUSIBLE_PER_SECOND = 2000.0
"""Nobody was a member, and yet the committed offset went faster than this."""
BUDGET_SECONDS = 60.0
"""The lag time above which a group counts as slow."""

IN_CHANGE = frozenset({"preparing", "completing", "assigning", "reconciling"})
WITHOUT_MEMBERS = frozenset({"empty", "dead"})


class Loss(NamedTuple):
    """A poll of the window that saw the committed offset below the log start; the latest one."""

    committed: int
    log_start: int


class Rewind(NamedTuple):
    """The highest offset committed in the window, above the present one, and where it went from there."""

    peak: int
    fell_to: int
    fell_at: float


class Jump(NamedTuple):
    """The committed offset went faster without members than any reader of this group reads."""

    before: int
    after: int
    at: float


class Facts(NamedTuple):
    """Of one poll; offsets are None where Kafka has none. The window is five minutes."""

    at: float = 0.0
    """Seconds since the epoch."""
    unreadable: str | None = None
    """Why this partition could not be read, if so."""
    polled_twice: bool = True
    committed: int | None = None
    end: int | None = None
    stable: int | None = None
    """Last stable offset."""
    log_start: int | None = None
    owner: str | None = None
    """The member that has the partition."""
    state: str = "stable"
    """stable | empty | dead | preparing | completing | unknown"""
    lag: int | None = None
    """Offsets between committed and end; 0 where they are known to hold nothing."""
    lag_seconds: float | None = None
    empty_tail: bool = False
    """True: between committed and end offset lies no record (looked up)."""
    nothing_readable: bool = False
    """True: between committed and last stable offset lies no record (looked up)."""
    hands: Sequence[Hand] = ()
    """What the group's services say of messages of this partition that they hold or fail at."""
    others_moving: tuple[int, int] | None = None
    """(partitions of the group on this topic that moved, all others of it)."""
    poll_seconds: float = 5.0
    patience: float = UNSETTLED_PATIENCE_SECONDS
    """Seconds for which nothing may happen before silence means something."""
    committed_unmoved: float = 0.0
    """Seconds, polled without a gap, for which the committed offset has had its present value."""
    held_back_for: float = 0.0
    """Seconds for which the last stable offset has stood still below the end."""
    reads_uncommitted: bool = False
    """A poll of the window saw the committed offset above the last stable one."""
    unowned_twice: bool = False
    """On two polls running nobody had the partition, and the group was not in change."""
    unowned_for: float = 0.0
    """Seconds for which that has been so, with messages unread."""
    assigns_by_hand: bool = False
    """The group committed again and again in the window while it had no members."""
    in_change_twice: bool = False
    """On two polls running members and partitions were being assigned."""
    member_changes: int = 0
    """Polls of the window that saw other members than the one before."""
    owned_silently_for: float = 0.0
    """Seconds for which a member has had the partition and nothing was ever committed."""
    caught_up: bool = False
    """Lag was 0 within patience."""
    hardly_any_traffic: bool = False
    """Lag, end and committed offset all moved by fewer than 10 in the window."""
    in_rate: float = 0.0
    """Offsets appended a second over the window, for comparison only."""
    growth: Slope | None = None
    """Of the lag's lower envelope, so that the sawtooth of batch commits is not growth; None: too few points."""
    loss: Loss | None = None
    rewind: Rewind | None = None
    jump: Jump | None = None
