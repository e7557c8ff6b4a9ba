"""What commands about consumer groups share: which rows are asked for, and what is said where there are none."""

from collections.abc import Iterable
from typing import Protocol

from headwater_analysis import lag
from headwater_analysis.source import Source

from .printing import empty


class _OfGroup(Protocol):
    @property
    def consumer_group(self) -> str: ...
    @property
    def topic(self) -> str: ...


def wanted(row: _OfGroup, group: str | None, topic: str | None) -> bool:
    """Whether a row is of the group and topic that were asked for; None means any."""
    return group in (None, row.consumer_group) and topic in (None, row.topic)


def say_pairs(known: Iterable[_OfGroup]) -> bool:
    """Says which groups on which topics there are; False, and nothing, where there are none."""
    pairs = sorted({f"{row.consumer_group} on {row.topic}" for row in known})
    if pairs:
        empty(f"No group and topic are named so; there are {', '.join(pairs)}.")
    return bool(pairs)


def say_shared(source: Source, group: str | None) -> bool:
    """Says that a group is a share group; False, and nothing, where it is none, or none was asked for."""
    shared = group is not None and any(group in (one.share_groups or ()) for one in lag.clusters(source))
    if shared:
        empty(f"{group} is a share group, whose lag cannot be asked for.")
    return shared


def say_none_known() -> None:
    """No group is known at all."""
    empty("No consumer group is known; `headwater lag` says whether a cluster is watched.")


def say_none_watched() -> None:
    """No cluster is watched."""
    empty("The collector watches no cluster; start it with --kafka HOST:PORT.")


def asked_for(source: Source, group: str | None) -> list[lag.GroupRow]:
    """The groups on topics that a question without an answer was about; where there are none, that is said."""
    known = lag.groups(source)
    found = [row for row in known if wanted(row, group, None)]
    if not known:
        say_none_known()
    elif not found:
        names = ", ".join(sorted({row.consumer_group for row in known}))
        empty(f"No group is named {group!r}; there are {names}.")
    return found
