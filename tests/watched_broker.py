"""An embedded broker that counts what it is asked, and answers sends with an error when it is told to."""

from collections import Counter
from typing import Any

from headwater_collector.demo.broker import Broker
from headwater_collector.demo.broker_answers import Answers, Fields

PRODUCE, METADATA = 0, 3
UNKNOWN_SERVER_ERROR = -1


class _Answers(Answers):
    def __init__(self, broker: "WatchedBroker") -> None:
        super().__init__(broker)
        self._watched = broker

    async def answer(self, key: int, request: Any, client: str, peer: str) -> Fields | None:
        self._watched.requests[key] += 1
        if key == PRODUCE and self._watched.refused > 0:
            self._watched.refused -= 1
            rest = (-1,) if request.API_VERSION >= 5 else ()
            answers = [
                (topic, [(index, UNKNOWN_SERVER_ERROR, -1, -1, *rest) for index, _ in parts])
                for topic, parts in request.topics
            ]
            return answers, 0
        return await super().answer(key, request, client, peer)


class WatchedBroker(Broker):
    """The broker."""

    def __init__(self, partitions: int = 3) -> None:
        super().__init__(partitions)
        self.requests: Counter[int] = Counter()
        """By API."""
        self.refused = 0
        """Sends that are still to be answered with UNKNOWN_SERVER_ERROR, as old brokers answer to headers."""
        self._answers = _Answers(self)
