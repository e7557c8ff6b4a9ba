"""Is a group healthy on a partition? Named pure rules in a stated order; the first that applies wins.

Each rule answers a `Verdict` with a sentence of evidence, or None when it does not apply.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from .format import count, duration_ms
from .health_hand import overdue, unfinished
from .health_window import WITHOUT_MEMBERS, Sample, Window

IMPLAUSIBLE_PER_SECOND = 2000.0  # nobody was a member, and yet the offset went faster than this
MEMBER_CHANGES_ALLOWED = 3


@dataclass(frozen=True)
class Verdict:
    """A status word, the sentence with the numbers behind it, and since when it has been so."""

    status: str
    evidence: str
    began: float | None = None
    """Seconds since the epoch; None: the moment the verdict is first given."""


Rule = Callable[[Window], Verdict | None]


def unknown(window: Window) -> Verdict | None:
    if window.unreadable is not None:
        return Verdict("unknown", window.unreadable)
    if len(window.samples) < 2:
        return Verdict("unknown", "polled once so far; a verdict needs two polls")
    return None


def lost(window: Window) -> Verdict | None:
    """A poll of the window saw the committed offset below the log start; the latest such one counts."""
    for sample in reversed(window.recent):
        if sample.committed is None or sample.log_start is None or sample.committed >= sample.log_start:
            continue
        gone = count(sample.log_start - sample.committed)
        return Verdict(
            "lost",
            f"retention removed {gone} offsets before they were read: "
            f"committed {count(sample.committed)}, log starts at {count(sample.log_start)}",
        )
    return None


def truncated(window: Window) -> Verdict | None:
    now = window.now
    if now.committed is None or now.end is None or now.committed <= now.end:
        return None
    return Verdict(
        "truncated",
        f"committed {count(now.committed)} lies beyond the end {count(now.end)}: "
        "the topic was recreated or its log cut",
    )


def frozen(window: Window) -> Verdict | None:
    """An open transaction: the last stable offset stands still below the end, and nothing lies before it."""
    now = window.now
    if now.stable is None or now.end is None or now.committed is None or now.stable >= now.end:
        return None
    if window.held_back_for < window.patience:
        return None
    nothing_before = now.committed == now.stable or (now.committed < now.stable and window.readable is False)
    if not nothing_before or _reads_uncommitted(window):
        return None
    return Verdict(
        "frozen",
        f"an open transaction at offset {count(now.stable)} has held back {count(now.end - now.stable)} "
        f"offsets for {_time(window.held_back_for)}",
        now.at - window.held_back_for,
    )


def blocked(window: Window) -> Verdict | None:
    """A known message that does not finish; it may lie below the committed offset, and the lag be 0."""
    now = window.now
    hand = unfinished(window.hands, window.patience, now.committed, now.at)
    if hand is None:
        return None
    failed = f" with {hand.error}" if hand.error else ""
    if overdue(hand, window.patience):
        held = hand.held_seconds or 0.0
        evidence = f"{hand.service} has had offset {count(hand.offset)} in flight for {_time(held)}"
        evidence += f", more than {_time(hand.limit_seconds)}"
        if hand.failures:
            evidence += f", after {hand.failures} deliveries that failed{failed}"
        return Verdict("blocked", evidence, now.at - held)
    return Verdict(
        "blocked",
        f"offset {count(hand.offset)} was begun {hand.failures} times in the last five minutes and never done: "
        f"{hand.service} fails{failed or ' without naming an error'}",
        hand.first_at,
    )


def stopped(window: Window) -> Verdict | None:
    now = window.now
    if not window.lag or window.lag <= 0 or len(window.samples) < 2 or window.committed_unmoved <= 0:
        return None
    if not (_unowned(now) and _unowned(window.samples[-2])):
        return None
    if _assigns_by_hand(window) and window.committed_unmoved < window.patience:
        return None
    why = (
        f"the group has no members (state {now.state})"
        if now.state in WITHOUT_MEMBERS
        else "no member has this partition"
    )
    return Verdict(
        "stopped",
        f"{why}, {count(window.lag)} offsets are unread and the committed offset "
        f"has not moved for {_time(window.committed_unmoved)}",
        now.at - window.held_for(lambda sample: _unowned(sample) and (sample.lag or 0) > 0),
    )


def rewound(window: Window) -> Verdict | None:
    """The committed offset fell and has not regained its earlier value."""
    now = window.now
    known = [sample for sample in window.recent if sample.committed is not None]
    if now.committed is None or not known:
        return None
    peak = max(known, key=lambda sample: (sample.committed or 0, sample.at))
    if peak.committed is None or now.committed >= peak.committed:
        return None
    fell = next(sample for sample in known if sample.at > peak.at)
    return Verdict(
        "rewound",
        f"the committed offset went back from {count(peak.committed)} to {count(fell.committed)} "
        f"and is at {count(now.committed)}: {count(peak.committed - now.committed)} offsets are read again",
        fell.at,
    )


def skipped_ahead(window: Window) -> Verdict | None:
    """The committed offset jumped while nobody was a member, faster than any reader of this group reads."""
    if not window.ever_without_members or _assigns_by_hand(window):
        return None
    fastest = 0.0
    for before, after in _moves(window):
        jump = (after.committed or 0) - (before.committed or 0)
        speed = jump / max(after.at - before.at, 0.001)
        memberless = before.state in WITHOUT_MEMBERS and after.state in WITHOUT_MEMBERS
        if memberless and speed > max(IMPLAUSIBLE_PER_SECOND, 5 * fastest):
            return Verdict(
                "skipped_ahead",
                f"the committed offset jumped from {count(before.committed)} to {count(after.committed)} "
                f"while the group had no members: {count(jump)} offsets were passed over",
                after.at,
            )
        fastest = max(fastest, speed)
    return None


def rebalancing(window: Window) -> Verdict | None:
    if len(window.samples) >= 2 and window.now.in_change and window.samples[-2].in_change:
        state = window.now.state
        said = "in change" if state == "unknown" else state
        return Verdict(
            "rebalancing", f"members and partitions are being assigned (state {said}) on two polls"
        )
    changes = sum(before.members != after.members for before, after in pairwise(window.recent))
    if changes > MEMBER_CHANGES_ALLOWED:
        return Verdict("rebalancing", f"the members changed {changes} times in the last five minutes")
    return None


def no_commit(window: Window) -> Verdict | None:
    now = window.now
    if now.committed is not None or now.owner is None or now.end is None or now.end <= (now.log_start or 0):
        return None
    silent = window.held_for(lambda sample: sample.committed is None and sample.owner is not None)
    if silent < window.patience:
        return None
    return Verdict(
        "no_commit",
        f"{now.owner} has had this partition for {_time(silent)} and committed nothing",
        now.at - silent,
    )


def stalled(window: Window) -> Verdict | None:
    now = window.now
    if not window.lag or window.lag <= 0 or now.owner is None:
        return None
    if window.committed_unmoved < window.patience or window.caught_up:
        return None
    moving = ""
    if window.others_moving is not None and window.others_moving[1] > 0:
        moved, others = window.others_moving
        moving = f"; {moved} of the group's {others} other partitions of this topic move"
    return Verdict(
        "stalled",
        f"{now.owner} has committed nothing for {_time(window.committed_unmoved)} "
        f"with {count(window.lag)} offsets unread{moving}",
        now.at - window.committed_unmoved,
    )


def falling_behind(window: Window) -> Verdict | None:
    if not window.lag or window.lag <= 0 or window.caught_up or window.hardly_any_traffic:
        return None
    growth = window.growth
    if growth is None or growth.low <= 0 or growth.low <= 0.05 * window.in_rate:
        return None
    return Verdict(
        "falling_behind",
        f"lag {count(window.lag)} grows by {growth.middle:.1f}/s (at least {growth.low:.1f}/s) "
        f"at {window.in_rate:.1f}/s produced",
    )


def slow(window: Window) -> Verdict | None:
    if not window.lag or window.lag <= 0 or window.lag_seconds is None:
        return None
    if window.lag_seconds <= window.budget_seconds:
        return None
    growth = window.growth
    if growth is None or growth.low <= 0 <= growth.high:
        tendency = "and level"
    elif growth.high < 0:
        tendency = f"draining in {_time(window.lag / -growth.middle)}"
    else:
        tendency = "and growing"
    return Verdict(
        "slow",
        f"the first unread message has waited {_time(window.lag_seconds)}, "
        f"more than {_time(window.budget_seconds)}; lag {count(window.lag)}, {tendency}",
    )


def ok(window: Window) -> Verdict | None:
    now = window.now
    if window.empty_tail:
        return Verdict("ok", "caught up: only markers or removed records remain")
    if window.lag == 0 or window.caught_up:
        return Verdict("ok", "caught up")
    if now.committed is None:
        empty = now.end is not None and now.log_start is not None and now.end <= now.log_start
        return Verdict("ok", "nothing to read, nothing committed" if empty else "nothing committed yet")
    if window.committed_unmoved >= 2 * window.poll_seconds:
        silent, patience = _time(window.committed_unmoved), _time(window.patience)
        return Verdict("ok", f"lag {count(window.lag)}, nothing committed for {silent} (patience {patience})")
    return Verdict("ok", f"lag {count(window.lag)}, moving")


RULES: tuple[Rule, ...] = (
    *(unknown, lost, truncated, frozen, blocked, stopped, rewound, skipped_ahead, rebalancing),
    *(no_commit, stalled, falling_behind, slow, ok),
)
SUM_RULES: tuple[Rule, ...] = (falling_behind, slow, ok)
"""For the sum of a group's partitions, whose growth takes turns."""


def judge(window: Window, rules: tuple[Rule, ...] = RULES) -> Verdict:
    """The first verdict of the rules in their order."""
    return next(verdict for rule in rules if (verdict := rule(window)) is not None)


def _time(seconds: float) -> str:
    return duration_ms(seconds * 1000)


def _unowned(sample: Sample) -> bool:
    return sample.owner is None and not sample.in_change


def _reads_uncommitted(window: Window) -> bool:
    return any(
        sample.committed is not None and sample.stable is not None and sample.committed > sample.stable
        for sample in window.recent
    )


def _moves(window: Window) -> Iterator[tuple[Sample, Sample]]:
    """Polls between which the committed offset changed, both known."""
    for before, after in pairwise(window.recent):
        if None not in (before.committed, after.committed) and before.committed != after.committed:
            yield before, after


def _assigns_by_hand(window: Window) -> bool:
    """A group that commits again and again while it has no members."""
    if not window.ever_without_members:
        return False
    moves = sum(
        before.state in WITHOUT_MEMBERS and after.state in WITHOUT_MEMBERS for before, after in _moves(window)
    )
    return moves >= 2
