"""confluent-kafka's commits: those that are asked for, and those that librdkafka makes by itself."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context

from . import attributes as names
from . import clients, settling
from .failing import failed
from .guard import CONFLUENT_KAFKA as guard
from .librdkafka import Reported, by_partition
from .shim import Shim

ORDER = ("message", "offsets", "asynchronous")
PENDING_AT_MOST = 1000
"""Commits of one consumer that wait for their report; the oldest is ended without it."""
NO_OFFSET = "_NO_OFFSET"
"""librdkafka's answer where there was nothing to commit."""


class Commits:
    """The commits of one consumer."""

    def __init__(self, shim: Shim, base: dict[str, Any], settings: tuple[Any, Any], group: str) -> None:
        self._shim = shim
        self._handing = base
        """Attributes of the consumer's process spans; the cluster's id is learnt there."""
        self._base = clients.described("commit", "settle", *settings)
        self._group = group
        self._pending: deque[tuple[trace.Span, dict[Any, int]]] = deque()
        """Asked for and not reported yet, with the offsets where the caller named them."""
        self._lock = threading.Lock()
        self.told = False
        """The client reports commits to us."""

    def reporter(self, theirs: Any) -> Callable[[Any, Any], None]:
        """An ``on_commit`` that records, and calls theirs."""
        self.told = True

        def reported(error: Any, places: Any) -> None:
            guard.settle("commit", self._reported, error, places)
            if theirs is not None:
                theirs(error, places)

        return reported

    def run(self, wrapped: Any, args: Any, kwargs: Any) -> Any:
        """Consumer.commit, which returns before the commit is made unless told otherwise."""
        begun = None
        if guard.settle("commit", self._shim.active):
            begun = guard.run("commit", self._asked, args, kwargs)
        try:
            answer = wrapped(*args, **kwargs)
        except BaseException as error:
            if begun is not None:
                guard.settle("commit", self._refused, begun[0], error)
            raise
        if begun is not None:
            guard.settle("commit", self._returned, begun, answer)
        return answer

    def _asked(self, args: Any, kwargs: Any) -> tuple[trace.Span, bool]:
        given = {**dict(zip(ORDER, args, strict=False)), **kwargs}
        offsets: dict[Any, int] = {}
        if given.get("message") is not None:
            message = given["message"]
            offsets = by_partition([_Next(message)])
        elif given.get("offsets") is not None:
            offsets = by_partition(given["offsets"])
        waits = self.told and bool(given.get("asynchronous", given.get("async", True)))
        span = self._begin(offsets, None, True)
        if waits:
            with self._lock:
                self._pending.append((span, offsets))
                if len(self._pending) > PENDING_AT_MOST:
                    self._pending.popleft()[0].end()
        return span, waits

    def _begin(self, offsets: dict[Any, int], parent: Context | None, asked: bool) -> trace.Span:
        if names.CLUSTER_ID in self._handing:
            self._base[names.CLUSTER_ID] = self._handing[names.CLUSTER_ID]
        return settling.begin(self._shim.tracer, self._base, self._group, offsets, parent, asked)

    def _refused(self, span: trace.Span, error: BaseException) -> None:
        with self._lock:
            kept = [one for one in self._pending if one[0] is not span]
            self._pending.clear()
            self._pending.extend(kept)
        failed(span, error, self._shim.config)
        span.end()

    def _returned(self, begun: tuple[trace.Span, bool], places: Any) -> None:
        span, waits = begun
        if not waits:
            self._finish(span, None, places or ())

    def _reported(self, error: Any, places: Any) -> None:
        if error is not None and error.name() == NO_OFFSET:
            self._take({}, True)
            return
        offsets = by_partition(places)
        span = self._take(offsets, False)
        if span is None:
            if not self._shim.active() or not offsets:
                return
            # It runs in whatever body polls at the moment, which is not what it comes from.
            span = self._begin(offsets, Context(), False)
        self._finish(span, error, places)

    def _take(self, offsets: dict[Any, int], nothing: bool) -> trace.Span | None:
        """The span of the commit that is reported: the first that named these offsets, or none."""
        with self._lock:
            for at, (span, named) in enumerate(self._pending):
                if not named or named == offsets:
                    del self._pending[at]
                    if nothing:
                        span.end()
                    return span
        return None

    def _finish(self, span: trace.Span, error: Any, places: Any) -> None:
        values = settling.described(by_partition(places))
        if values:
            span.set_attributes(values)
            span.update_name(settling.span_name(values))
        errors = [error, *(getattr(place, "error", None) for place in places)]
        for found in errors:
            if found is not None:
                failed(span, Reported(found), self._shim.config)
                break
        span.end()

    def forget(self) -> None:
        """The consumer is closed: nothing more is reported."""
        with self._lock:
            while self._pending:
                self._pending.popleft()[0].end()


class _Next:
    """The place after a message: what its commit commits."""

    def __init__(self, message: Any) -> None:
        self.topic, self.partition = message.topic(), message.partition()
        self.offset = message.offset() + 1
