"""What services say of the messages that they hold or fail at, out of the store, for the verdicts of a poll."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from headwater_analysis.health_facts import LEAST_PATIENCE_SECONDS, WINDOW_SECONDS
from headwater_analysis.health_hand import LEAST_FAILURES, UNLEARNED_LIMIT_SECONDS, Hand
from headwater_collector.store import Store

from .snapshot import Partition

LEARNED_FOR_SECONDS = 600.0
MOST_HANDS = 2000  # of one poll; the lowest offsets first

_HANDS = """
select consumer_group, topic, partition, message_offset, service, held_seconds, failures, epoch(first_at),
    epoch(last_at), error_type, last_offset
from messages_in_hand(?, ?)
where (?::varchar is null or cluster = ?) and (held_seconds > ? or failures > 0)
order by message_offset
limit ?
"""
_LIMIT = "select max(work_limit_ms) / 1000 from learned_limits_since(?, ?, learning_since())"


class Hands:
    """Reads them; learned limits are asked for anew every ten minutes, and only where a message is held."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._limits: dict[tuple[str, str], tuple[float, float]] = {}
        """(topic, group) -> (limit in seconds, monotonic time when it was learned)."""

    def read(self, cluster: str | None) -> Mapping[tuple[str, Partition], Sequence[Hand]]:
        """By (group, partition); of any cluster where it is not known which one is judged."""
        since = datetime.fromtimestamp(time.time() - WINDOW_SECONDS, UTC).replace(tzinfo=None)
        found: dict[tuple[str, Partition], list[Hand]] = {}
        rows = self._store.read(
            _HANDS, [since, LEAST_FAILURES, cluster, cluster, LEAST_PATIENCE_SECONDS, MOST_HANDS]
        )
        for group, topic, number, offset, service, held, failures, first, last, error, newest in rows:
            limit = UNLEARNED_LIMIT_SECONDS if held is None else self._limit(topic, group)
            hand = Hand(offset, service, held, limit, failures, first, last, error, newest)
            found.setdefault((group, Partition(topic, number)), []).append(hand)
        return found

    def _limit(self, topic: str, group: str) -> float:
        known = self._limits.get((topic, group))
        if known is not None and time.monotonic() - known[1] < LEARNED_FOR_SECONDS:
            return known[0]
        [(learned,)] = self._store.read(_LIMIT, [topic, group])
        limit = UNLEARNED_LIMIT_SECONDS if learned is None else float(learned)
        if len(self._limits) >= MOST_HANDS:
            self._limits.clear()
        self._limits[topic, group] = (limit, time.monotonic())
        return limit
