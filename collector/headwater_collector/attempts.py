"""How often storing is tried again, and with how much: what fails again and again on its own is set aside.

What the store refuses is known at once to be a request's fault (`is_of_rows`), and what the disk refuses never is.
Between them lies what may be either: memory that is short for a while, or one request that takes more than there is.
So such a request is tried on its own, some times, while everything behind it waits in the log; then it goes to the
quarantine. That takes a commit, too: where nothing can be stored, nothing is set aside.
"""

from __future__ import annotations

from headwater_analysis.errors import HeadwaterError

from .log_segment import LogRecord
from .receivers.otlp_decode import Kind
from .receivers.otlp_metrics import METRICS
from .records import Quarantined

MOST = 6
"""Tries of a request on its own: a quarter of a second after the first, then twice as long each time, some 16 s."""

KEPT_BYTES = 64 * 1024
"""Of a request that is set aside: enough to see who sent it and what it holds."""

_OF_SURROUNDINGS = {"IOException", "FatalException", "TransactionException", "ConnectionException", "OSError"}
"""DuckDB's and Python's ways to say that disk, file or another transaction stand in the way: no request's fault."""


class Attempts:
    """How often the next request in the log has failed. For one thread."""

    def __init__(self) -> None:
        self._failed_alone = 0
        self.alone = False
        """Whether the next request is to be stored without those behind it."""

    def failed(self, error: Exception) -> bool:
        """Storing failed; whether the next request is to be set aside. If that fails too, all begins again."""
        if _of_surroundings(error):
            return False
        self._failed_alone += self.alone
        self.alone = True
        spent = self._failed_alone >= MOST
        self._failed_alone = 0 if spent else self._failed_alone
        return spent

    def stored(self) -> None:
        """Storing works."""
        self._failed_alone, self.alone = 0, False


def set_aside(record: LogRecord, reason: str, sentence: str) -> Quarantined:
    """What is kept of a request that cannot be stored."""
    door = Kind(record.kind & ~METRICS).door
    return Quarantined(record.received_at_ns, door, reason, sentence, record.body[:KEPT_BYTES])


def first_line(error: Exception) -> str:
    """What an error says, in a line."""
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def _of_surroundings(error: Exception) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, HeadwaterError) or bool(names & _OF_SURROUNDINGS)
