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

    def __init__(self) -> None:
        self.errors: Counter[str] = Counter()
        """Internal errors by site since the process started; exported as ``headwater.internal.errors``."""
        self._recent: deque[float] = deque(maxlen=ERRORS_AT_MOST)
        self._logged: dict[str, float] = {}
        self._lock = threading.Lock()
        anew_after_fork(self)

    def forget(self) -> None:
        """Begins anew."""
        self._lock = threading.Lock()
        self.errors.clear()
        self._recent.clear()
        self._logged.clear()

    @property
    def open(self) -> bool:
        """Too much has failed lately: leave the client alone."""
        recent = self._recent
        return len(recent) == ERRORS_AT_MOST and time.monotonic() - recent[0] < WINDOW_SECONDS

    def run(self, site: str, work: Callable[..., T], *args: object) -> T | None:
        """The result of ``work``, or None when it fails or the circuit is open. Never raises an Exception."""
        return None if self.open else self.settle(site, work, *args)

    def settle(self, site: str, work: Callable[..., T], *args: object) -> T | None:
        """Like ``run``, for what was begun before the circuit opened and must be brought to its end."""
        try:
            return work(*args)
        except Exception as error:
            self._note(site, error)
            return None

    def _note(self, site: str, error: Exception) -> None:
        now = time.monotonic()
        with self._lock:
            self.errors[site] += 1
            self._recent.append(now)
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
