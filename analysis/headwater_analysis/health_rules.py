"""Is a group healthy on a partition? Named pure rules in a stated order; the first that applies wins.

Each rule answers a `Verdict` with a sentence of evidence, or None when it does not apply.
"""

from collections.abc import Callable
from typing import NamedTuple

from .format import count, duration_ms
from .health_facts import BUDGET_SECONDS, WITHOUT_MEMBERS, Facts
from .health_hand import overdue, unfinished

MEMBER_CHANGES_ALLOWED = 3
LEAST_GROWTH = 0.05
"""Of what is produced: a lag that grows by less does not count as growing."""


class Verdict(NamedTuple):
    """A status word, the sentence with the numbers behind it, and since when it has been so."""

    status: str
    evidence: str
    began: float | None = None
    """Seconds since the epoch; None: the moment the verdict is first given."""


Rule = Callable[[Facts], Verdict | None]
CAUGHT_UP = Verdict("ok", "caught up")


def unknown(facts: Facts) -> Verdict | None:
    if facts.unreadable is not None:
        return Verdict("unknown", facts.unreadable)
    if not facts.polled_twice:
        return Verdict("unknown", "polled once so far; a verdict needs two polls")
    return None


def lost(facts: Facts) -> Verdict | None:
    loss = facts.loss
    if loss is None:
        return None
    return Verdict(
        "lost",
        f"retention removed {count(loss.log_start - loss.committed)} offsets before they were read: "
        f"committed {count(loss.committed)}, log starts at {count(loss.log_start)}",
    )


def truncated(facts: Facts) -> Verdict | None:
    if facts.committed is None or facts.end is None or facts.committed <= facts.end:
        return None
    return Verdict(
        "truncated",
        f"committed {count(facts.committed)} lies beyond the end {count(facts.end)}: "
        "the topic was recreated or its log cut",
    )


def frozen(facts: Facts) -> Verdict | None:
    """An open transaction: the last stable offset stands still below the end, and nothing lies before it."""
    stable, end, committed = facts.stable, facts.end, facts.committed
    if stable is None or end is None or committed is None or stable >= end:
        return None
    if facts.held_back_for < facts.patience:
        return None
    nothing_before = committed == stable or (committed < stable and facts.nothing_readable)
    if not nothing_before or facts.reads_uncommitted:
        return None
    return Verdict(
        "frozen",
        f"an open transaction at offset {count(stable)} has held back {count(end - stable)} "
        f"offsets for {_time(facts.held_back_for)}",
        facts.at - facts.held_back_for,
    )


def blocked(facts: Facts) -> Verdict | None:
    """A known message that does not finish; it may lie below the committed offset, and the lag be 0."""
    hand = unfinished(facts.hands, facts.patience, facts.committed, facts.at)
    if hand is None:
        return None
    failed = f" with {hand.error}" if hand.error else ""
    if overdue(hand, facts.patience):
        held = hand.held_seconds or 0.0
        evidence = f"{hand.service} has had offset {count(hand.offset)} in flight for {_time(held)}"
        evidence += f", more than {_time(hand.limit_seconds)}"
        if hand.failures:
            evidence += f", after {hand.failures} deliveries that failed{failed}"
        return Verdict("blocked", evidence, facts.at - held)
    return Verdict(
        "blocked",
        f"offset {count(hand.offset)} was begun {hand.failures} times in the last five minutes and never done: "
        f"{hand.service} fails{failed or ' without naming an error'}",
        hand.first_at,
    )


def stopped(facts: Facts) -> Verdict | None:
    if not facts.lag or facts.lag <= 0 or not facts.unowned_twice or facts.committed_unmoved <= 0:
        return None
    if facts.assigns_by_hand and facts.committed_unmoved < facts.patience:
        return None
    why = (
        f"the group has no members (state {facts.state})"
        if facts.state in WITHOUT_MEMBERS
        else "no member has this partition"
    )
    return Verdict(
        "stopped",
        f"{why}, {count(facts.lag)} offsets are unread and the committed offset "
        f"has not moved for {_time(facts.committed_unmoved)}",
        facts.at - facts.unowned_for,
    )


def rewound(facts: Facts) -> Verdict | None:
    """The committed offset fell and has not regained its earlier value."""
    rewind = facts.rewind
    if facts.committed is None or rewind is None or facts.committed >= rewind.peak:
        return None
    return Verdict(
        "rewound",
        f"the committed offset went back from {count(rewind.peak)} to {count(rewind.fell_to)} "
        f"and is at {count(facts.committed)}: {count(rewind.peak - facts.committed)} offsets are read again",
        rewind.fell_at,
    )


def skipped_ahead(facts: Facts) -> Verdict | None:
    """The committed offset jumped while nobody was a member, faster than any reader of this group reads."""
    jump = facts.jump
    if jump is None or facts.assigns_by_hand:
        return None
    return Verdict(
        "skipped_ahead",
        f"the committed offset jumped from {count(jump.before)} to {count(jump.after)} "
        f"while the group had no members: {count(jump.after - jump.before)} offsets were passed over",
        jump.at,
    )


def rebalancing(facts: Facts) -> Verdict | None:
    if facts.in_change_twice:
        said = "in change" if facts.state == "unknown" else facts.state
        return Verdict(
            "rebalancing", f"members and partitions are being assigned (state {said}) on two polls"
        )
    if facts.member_changes > MEMBER_CHANGES_ALLOWED:
        return Verdict(
            "rebalancing", f"the members changed {facts.member_changes} times in the last five minutes"
        )
    return None


def no_commit(facts: Facts) -> Verdict | None:
    if facts.committed is not None or facts.owner is None or facts.end is None:
        return None
    if facts.end <= (facts.log_start or 0) or facts.owned_silently_for < facts.patience:
        return None
    return Verdict(
        "no_commit",
        f"{facts.owner} has had this partition for {_time(facts.owned_silently_for)} and committed nothing",
        facts.at - facts.owned_silently_for,
    )


def stalled(facts: Facts) -> Verdict | None:
    if not facts.lag or facts.lag <= 0 or facts.owner is None:
        return None
    if facts.committed_unmoved < facts.patience or facts.caught_up:
        return None
    moving = ""
    if facts.others_moving is not None and facts.others_moving[1] > 0:
        moved, others = facts.others_moving
        moving = f"; {moved} of the group's {others} other partitions of this topic move"
    return Verdict(
        "stalled",
        f"{facts.owner} has committed nothing for {_time(facts.committed_unmoved)} "
        f"with {count(facts.lag)} offsets unread{moving}",
        facts.at - facts.committed_unmoved,
    )


def falling_behind(facts: Facts) -> Verdict | None:
    if not facts.lag or facts.lag <= 0 or facts.caught_up or facts.hardly_any_traffic:
        return None
    growth = facts.growth
    if growth is None or growth.low <= 0 or growth.low <= LEAST_GROWTH * facts.in_rate:
        return None
    return Verdict(
        "falling_behind",
        f"lag {count(facts.lag)} grows by {growth.middle:.1f}/s (at least {growth.low:.1f}/s) "
        f"at {facts.in_rate:.1f}/s produced",
    )


def slow(facts: Facts) -> Verdict | None:
    if not facts.lag or facts.lag <= 0 or facts.lag_seconds is None:
        return None
    if facts.lag_seconds <= BUDGET_SECONDS:
        return None
    growth = facts.growth
    if growth is None or growth.low <= 0 <= growth.high:
        tendency = "and level"
    elif growth.high < 0:
        tendency = f"draining in {_time(facts.lag / -growth.middle)}"
    else:
        tendency = "and growing"
    return Verdict(
        "slow",
        f"the first unread message has waited {_time(facts.lag_seconds)}, "
        f"more than {_time(BUDGET_SECONDS)}; lag {count(facts.lag)}, {tendency}",
    )


def ok(facts: Facts) -> Verdict | None:
    if facts.empty_tail:
        return Verdict("ok", "caught up: only markers or removed records remain")
    if facts.lag == 0 or facts.caught_up:
        return CAUGHT_UP
    if facts.committed is None:
        empty = facts.end is not None and facts.log_start is not None and facts.end <= facts.log_start
        return Verdict("ok", "nothing to read, nothing committed" if empty else "nothing committed yet")
    if facts.committed_unmoved >= 2 * facts.poll_seconds:
        silent, patience = _time(facts.committed_unmoved), _time(facts.patience)
        return Verdict("ok", f"lag {count(facts.lag)}, nothing committed for {silent} (patience {patience})")
    return Verdict("ok", f"lag {count(facts.lag)}, moving")


RULES: tuple[Rule, ...] = (
    *(unknown, lost, truncated, frozen, blocked, stopped, rewound, skipped_ahead, rebalancing),
    *(no_commit, stalled, falling_behind, slow, ok),
)
SUM_RULES: tuple[Rule, ...] = (falling_behind, slow, ok)
"""For the sum of a group's partitions, whose growth takes turns."""


def judge(facts: Facts, rules: tuple[Rule, ...] = RULES) -> Verdict:
    """The first verdict of the rules in their order; the last of them always has one."""
    for rule in rules:
        verdict = rule(facts)
        if verdict is not None:
            return verdict
    raise AssertionError("no rule applies")


def _time(seconds: float) -> str:
    return duration_ms(seconds * 1000)
