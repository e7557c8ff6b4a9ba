"""The host application is never hurt: what goes wrong in here stays in here, is counted, and said rarely."""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import TypeVar

from .forks import anew_after_fork

T = TypeVar("T")

logger = logging.getLogger("headwater_instrumentation")

ERRORS_AT_MOST = 20
"""Internal errors within WINDOW_SECONDS after which a client is passed through untouched."""
WINDOW_SECONDS = 60.0
LOG_EVERY_SECONDS = 60.0


class Guard:
    """Runs our own code beside the host's; opens its circuit when too much of it fails."""

    def __init__(self, whole: "Guard | None" = None) -> None:
        self._whole = whole
        self._parts: list[Guard] = []
        self.errors: Counter[str] = Counter()
        """Internal errors by site since the process started; exported as ``headwater.internal.errors``."""
        self.noted = False
        """Something has failed: only then is there anything to ask about."""
        self._recent: deque[float] = deque(maxlen=ERRORS_AT_MOST)
        self._logged: dict[str, float] = {}
        self._lock = threading.Lock()
        anew_after_fork(self)

    def apart(self) -> "Guard":
        """One for a client, with a circuit of its own: what fails beside one leaves the others recorded."""
        self._parts.append(Guard(self))
        return self._parts[-1]

    def forget(self) -> None:
        """Begins anew."""
        for part in self._parts:
            part.forget()
        self._lock = threading.Lock()
        self.errors.clear()
        self.noted = False
        self._recent.clear()
        self._logged.clear()

    @property
    def open(self) -> bool:
        """Too much has failed lately: leave the client alone."""
        recent = self._recent
        if len(recent) == ERRORS_AT_MOST and time.monotonic() - recent[0] < WINDOW_SECONDS:
            return True
        return self._whole is not None and self._whole.open

    def run(self, site: str, work: Callable[..., T], *args: object) -> T | None:
        """The result of ``work``, or None when it fails or the circuit is open. Never raises an Exception."""
        if self.noted and self.open:
            return None
        try:
            return work(*args)
        except Exception as error:
            self.note(site, error)
            return None

    def settle(self, site: str, work: Callable[..., T], *args: object) -> T | None:
        """Like ``run``, for what was begun before the circuit opened and must be brought to its end."""
        try:
            return work(*args)
        except Exception as error:
            self.note(site, error)
            return None

    def note(self, site: str, error: Exception) -> None:
        """Counts an internal error, and says it at most once a minute by site."""
        now = time.monotonic()
        self._recent.append(now)
        self.noted = True
        for part in self._parts:
            part.noted = True
        whole = self._whole or self
        whole._tell(site, error, now)

    def _tell(self, site: str, error: Exception, now: float) -> None:
        with self._lock:
            self.errors[site] += 1
            quiet = now - self._logged.get(site, -LOG_EVERY_SECONDS) < LOG_EVERY_SECONDS
            if not quiet:
                self._logged[site] = now
        if not quiet:
            logger.warning(
                "headwater instrumentation failed in %s (%s: %s); the message is not affected.",
                site,
                type(error).__name__,
                error,
            )


guard = Guard()
"""For what is no single client's; it counts and says the errors of all."""
AIOKAFKA, CONFLUENT_KAFKA, KAFKA_PYTHON = guard.apart(), guard.apart(), guard.apart()
OF_CLIENTS = {"aiokafka": AIOKAFKA, "confluent_kafka": CONFLUENT_KAFKA, "kafka_python": KAFKA_PYTHON}
