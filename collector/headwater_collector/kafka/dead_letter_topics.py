"""Which topics hold dead letters: those the user named; else those whose name or headers say so."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from headwater_analysis.dead_letter_headers import normalise, read_topic_name

from .record_fetcher import Place, RecordFetcher
from .snapshot import Partition, Snapshot

PROBES_PER_ROUND = 20
PROBE_AGAIN_SECONDS = 60.0


class DeadLetterTopics:
    """Chooses topics; the newest record of one that nothing speaks for is looked at now and then."""

    def __init__(self, patterns: Sequence[str], fetcher: RecordFetcher) -> None:
        self._patterns = tuple(patterns)
        self._fetcher = fetcher
        self._by_headers: set[str] = set()
        self._probed: dict[str, tuple[float, int]] = {}

    def named(self, snapshot: Snapshot) -> set[str]:
        """Topics that a pattern (shell wildcards) names; without patterns those that betray themselves."""
        if self._patterns:
            return {
                topic for topic in snapshot.topics if any(fnmatchcase(topic, each) for each in self._patterns)
            }
        found = set(self._by_headers & set(snapshot.topics))
        for topic in snapshot.topics:
            by_name = read_topic_name(topic, snapshot.topics, snapshot.groups)
            if by_name is not None and by_name.role == "dead_letter":
                found.add(topic)
        return found

    async def probe(self, snapshot: Snapshot) -> None:
        """Look at the newest record of some topics whose end has moved since they were last looked at."""
        if self._patterns:
            return
        named = self.named(snapshot)
        places: list[Place] = []
        for topic, partitions in snapshot.topics.items():
            if topic in named:
                continue
            place = _newest(snapshot, topic, partitions)
            if place is None:
                continue
            at, stable = self._probed.get(topic, (0.0, -1))
            if stable != place.stable and snapshot.at - at >= PROBE_AGAIN_SECONDS:
                places.append(place)
                self._probed[topic] = (snapshot.at, place.stable)
            if len(places) == PROBES_PER_ROUND:
                break
        for place, record in (await self._fetcher.fetch(places)).items():
            if record is not None and _speaks_of_another_topic(record, snapshot):
                self._by_headers.add(place.partition.topic)


def _newest(snapshot: Snapshot, topic: str, partitions: int) -> Place | None:
    """The place of the last readable record, on the partition with the most."""
    stable, partition = max(
        (snapshot.stable.get(Partition(topic, number), 0), Partition(topic, number))
        for number in range(partitions)
    )
    if stable <= snapshot.log_start.get(partition, 0):
        return None
    return Place(partition, stable - 1, stable)


def _speaks_of_another_topic(record: Any, snapshot: Snapshot) -> bool:
    """A dead letter by its headers; one that was put back into its origin topic carries the same ones."""
    form = normalise(record.headers or (), record.topic, snapshot.topics, snapshot.groups)
    if form is None or form.source != "header" or form.role != "dead_letter":
        return False
    return form.origin_topic != record.topic and form.origin_topic in snapshot.topics
