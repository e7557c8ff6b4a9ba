"""Exact counters and latency sketches of 100 % of the messages, beside spans that may be sampled.

Instruments of the SDK cost some microseconds for each call; so the messages are counted in ``counting``, and the
instruments observe the numbers when the SDK collects.
"""

import time
import weakref
from collections.abc import Iterable
from typing import Any

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from . import attributes as names
from .counting import Counts, Handing, Held, Key, Server
from .guard import guard

DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Bucket boundaries of the conventions' histograms, in seconds."""


SILENT = ("_ProxyMeterProvider", "NoOpMeterProvider")
"""Types of meter providers that no SDK is behind; the first has no public name."""
ASK_EVERY_S = 1.0
"""Seconds between looks whether an SDK is there by now; a look costs as much as counting."""
DESCRIBED_AT_MOST = 1000
"""Attribute sets of durations that are kept ready."""


class Measure:
    """The instruments of one client."""

    def __init__(self, meter: metrics.Meter, provider: metrics.MeterProvider | None, durations: bool) -> None:
        self.counts = Counts()
        self._provider = provider
        self._heard, self._ask_at = False, 0.0
        self._described: dict[tuple[Any, ...], dict[str, Any]] = {}
        for name, unit, callback in (
            (names.SENT_MESSAGES, "{message}", self._sent),
            (names.CONSUMED_MESSAGES, "{message}", self._consumed),
            (names.FLOW_MESSAGES, "{message}", self._messages),
            (names.FLOW_ERRORS, "{message}", self._errors),
            (names.FLOW_LATENCY, "{message}", self._latencies),
        ):
            meter.create_observable_counter(name, [callback], unit)
        for name, unit, callback in (
            (names.FLOW_OFFSET, "{offset}", self._offsets),
            (names.HELD_OFFSET, "{offset}", self._held_offsets),
            (names.HELD_SINCE, "s", self._held_since),
        ):
            meter.create_observable_gauge(name, [callback], unit)
        self._operation = self._process = None
        if durations:
            self._operation = _histogram(meter, names.OPERATION_DURATION)
            self._process = _histogram(meter, names.PROCESS_DURATION)

    def on(self) -> bool:
        """Whether anybody collects; without an SDK for metrics nothing is counted."""
        if not self._heard and (now := time.monotonic()) >= self._ask_at:
            self._ask_at = now + ASK_EVERY_S
            self._heard = type(self._provider or metrics.get_meter_provider()).__name__ not in SILENT
        return self._heard

    def sent(
        self, base: dict[str, Any], topic: str, partition: int | None, offset: int | None, pathway: str,
        seconds: float, error: str | None,
    ) -> None:  # fmt: skip
        """A send has come to its end; partition and offset where they are known."""
        self.counts.sent(_server(base), topic, partition, offset, pathway, seconds, error)
        if self._operation is not None:
            self._operation.record(seconds, self._told("send", base, topic, error))

    def handed(self, base: dict[str, Any], group: str, places: Iterable[Handing]) -> None:
        """Records were handed to a consumer's caller."""
        self.counts.handed(_server(base), group, places)

    def polled(self, base: dict[str, Any], seconds: float) -> None:
        """A call that fetches a batch has returned."""
        if self._operation is not None:
            self._operation.record(seconds, self._told("poll", base, None, None))

    def processed(
        self, base: dict[str, Any], group: str, place: tuple[str, int, int] | None, pathway: str, seconds: float,
        error: str | None,
    ) -> None:  # fmt: skip
        """A handler's body is over; ``place`` is topic, partition and offset of its record, None for a batch."""
        if place is not None:
            self.counts.processed(_server(base), group, place, pathway, seconds, error)
        if self._process is not None:
            topic = place[0] if place is not None else None
            self._process.record(seconds, self._told("process", base, topic, error))

    def hold(self, base: dict[str, Any], group: str, delivery: object, first: Iterable[Any]) -> list[Held]:
        """A delivery begins: ``first`` are the first records of its partitions. Gives what ``release`` takes."""
        return self.counts.hold(_server(base), group, delivery, first)

    def _counted(self, direction: str, operation: str) -> list[Observation]:
        sums: dict[tuple[Any, ...], int] = {}
        for key, count, errors, _, _ in self.counts.snapshot():
            if key.direction != direction:
                continue
            place = (key.server, key.topic, key.partition, key.group)
            wrong = errors if direction == "out" else {}
            sums[(place, None)] = sums.get((place, None), 0) + count - sum(wrong.values())
            for error, number in wrong.items():
                sums[(place, error)] = sums.get((place, error), 0) + number
        found = []
        for ((server, topic, partition, group), error), number in sums.items():
            values = Key(direction, server, topic, partition, group, "").attributes()
            del values[names.DIRECTION]
            values[names.OPERATION_NAME] = operation
            if error is not None:
                values[names.ERROR_TYPE] = error
            if number or error is None:
                found.append(Observation(number, values))
        return found

    def _sent(self, options: CallbackOptions) -> list[Observation]:
        return self._counted("out", "send")

    def _consumed(self, options: CallbackOptions) -> list[Observation]:
        return self._counted("in", "poll")

    def _messages(self, options: CallbackOptions) -> list[Observation]:
        return [Observation(count, key.attributes()) for key, count, _, _, _ in self.counts.snapshot()]

    def _errors(self, options: CallbackOptions) -> list[Observation]:
        return [
            Observation(number, {**key.attributes(), names.ERROR_TYPE: error})
            for key, _, errors, _, _ in self.counts.snapshot()
            for error, number in errors.items()
        ]

    def _latencies(self, options: CallbackOptions) -> list[Observation]:
        return [
            Observation(number, {**key.attributes(), names.MEASURED: what, names.BUCKET: index})
            for key, _, _, _, sketches in self.counts.snapshot()
            for (what, index), number in sketches.items()
        ]

    def _offsets(self, options: CallbackOptions) -> list[Observation]:
        return [
            Observation(highest, key.attributes())
            for key, _, _, highest, _ in self.counts.snapshot()
            if highest >= 0
        ]

    def _held_offsets(self, options: CallbackOptions) -> list[Observation]:
        return [Observation(offset, key.attributes()) for key, offset, _ in self.counts.lowest()]

    def _held_since(self, options: CallbackOptions) -> list[Observation]:
        return [Observation(since, key.attributes()) for key, _, since in self.counts.lowest()]

    def _told(
        self, operation: str, base: dict[str, Any], topic: str | None, error: str | None
    ) -> dict[str, Any]:
        """Attributes of a duration; the same are described once."""
        key = (operation, base.get(names.GROUP), *_server(base), topic, error)
        found = self._described.get(key)
        if found is None:
            if len(self._described) >= DESCRIBED_AT_MOST:
                self._described.clear()
            found = self._described[key] = _described(operation, base, topic, error)
        return found


def _histogram(meter: metrics.Meter, name: str) -> metrics.Histogram:
    try:
        return meter.create_histogram(name, "s", explicit_bucket_boundaries_advisory=DURATIONS)
    except TypeError:
        # Advice came with version 1.31 of the API.
        return meter.create_histogram(name, "s")


def _server(base: dict[str, Any]) -> Server:
    return base.get(names.SERVER_ADDRESS, ""), base.get(names.SERVER_PORT, 0)


def _described(operation: str, base: dict[str, Any], topic: str | None, error: str | None) -> dict[str, Any]:
    values = {
        name: base[name]
        for name in (names.SYSTEM, names.SERVER_ADDRESS, names.SERVER_PORT, names.GROUP)
        if name in base
    }
    values[names.OPERATION_NAME] = operation
    if topic is not None:
        values[names.TOPIC] = topic
    if error is not None:
        values[names.ERROR_TYPE] = error
    return values


_made: "weakref.WeakKeyDictionary[Any, dict[tuple[str, bool], Measure]]" = weakref.WeakKeyDictionary()


def collected(measure: Measure | None) -> Measure | None:
    """The counters, where anybody collects what they count."""
    return measure if measure is not None and measure.on() else None


def measure_for(client: str, provider: Any, switch: str) -> Measure | None:
    """The counters of a client at a meter provider, made once; None where they are switched off."""
    if switch == "off":
        return None
    given, provider = provider, provider if provider is not None else metrics.get_meter_provider()
    own = _made.setdefault(provider, {})
    key = (client, switch == "on")
    if key not in own:
        meter = provider.get_meter(f"headwater_instrumentation.{client}", schema_url=names.SCHEMA_URL)
        own[key] = Measure(meter, given, switch == "on")
    if _ERRORS not in own:
        # Counted in the process, so told once and not by every client.
        meter = provider.get_meter("headwater_instrumentation", schema_url=names.SCHEMA_URL)
        meter.create_observable_counter(names.INTERNAL_ERRORS, [_internal_errors], "{error}")
        own[_ERRORS] = own[key]
    return own[key]


_ERRORS = ("", False)
"""Notes that a provider has the counter of internal errors."""


def _internal_errors(options: CallbackOptions) -> list[Observation]:
    return [Observation(number, {names.SITE: site}) for site, number in list(guard.errors.items())]
