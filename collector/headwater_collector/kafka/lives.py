"""How many lives a topic of one name has had: told by its id, or by an end offset that falls."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .snapshot import Snapshot

FIRST = 1


@dataclass(frozen=True)
class Life:
    """One life of a topic's name."""

    incarnation: int
    topic_id: str | None
    partitions: int
    since: float


@dataclass(frozen=True)
class NewLives:
    """Topics whose life is to be written down."""

    changed: tuple[str, ...]
    """New, recreated, or of another shape than before."""
    recreated: tuple[str, ...]


class Lives:
    """The incarnation of each topic; starts from what the store knows."""

    def __init__(self, known: Mapping[str, Life] | None = None) -> None:
        self._lives: dict[str, Life] = dict(known or {})

    def __getitem__(self, topic: str) -> Life:
        return self._lives[topic]

    def incarnation(self, topic: str) -> int:
        """A topic that was never seen is in its first life."""
        life = self._lives.get(topic)
        return life.incarnation if life is not None else FIRST

    def take(self, snapshot: Snapshot, end_fell: Callable[[str], bool]) -> NewLives:
        """Compare a poll with what is known, and remember it."""
        changed: list[str] = []
        recreated: list[str] = []
        for topic, partitions in snapshot.topics.items():
            topic_id = snapshot.topic_ids.get(topic)
            life = self._lives.get(topic)
            if life is None:
                self._lives[topic] = Life(FIRST, topic_id, partitions, snapshot.at)
                changed.append(topic)
                continue
            if topic_id is not None and life.topic_id is not None:
                again = topic_id != life.topic_id
            else:
                again = end_fell(topic)
            if again:
                self._lives[topic] = Life(life.incarnation + 1, topic_id, partitions, snapshot.at)
                changed.append(topic)
                recreated.append(topic)
            elif partitions != life.partitions or (topic_id is not None and life.topic_id is None):
                self._lives[topic] = Life(life.incarnation, topic_id, partitions, life.since)
                changed.append(topic)
        return NewLives(tuple(changed), tuple(recreated))
