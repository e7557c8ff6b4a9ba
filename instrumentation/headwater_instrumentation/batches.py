"""The handling of several records at once: one span, linked to every sender, with every offset in it."""

from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from . import attributes as names
from . import delivery as deliveries
from . import propagation
from .body import Body
from .delivery import Delivery, Source
from .describing import place
from .failing import kind_of
from .guard import guard
from .process import bare_source
from .records import view

Run = list[Any]
"""Topic, partition, first and last offset."""
FAILURES_AT_MOST = 100
"""Span events that one batch gets for records that failed; the SDK keeps 128."""


class process_batch(Body):  # noqa: N801 - used like a function: with process_batch(records)
    """The span of a batch's handling, as ``with process_batch(records) as batch:`` or ``async with``.

    Takes over the span that ``getmany`` began by itself where the batch is the whole of it, else begins one of its
    own. ``batch.fail(record, error)`` says which record failed while the others go on. Nothing of it ever raises, and
    an error of the body passes through.
    """

    def __init__(self, records: Any, *, group: str | None = None) -> None:
        self._records = records
        self._group = group
        self._failures = 0
        self._failed_with: str | None = None

    def fail(self, record: Any, error: BaseException) -> None:
        """Notes that one record of the batch failed: its coordinates and the error's class."""
        guard.settle("process_batch", self._fail, record, error)

    def _begin(self) -> None:
        self._outer = otel_context.get_current()
        records = [view(record) for record in self._records]
        if not records:
            return
        current = deliveries.current()
        if current is not None and current.place is None and not current.adopted:
            if current.size == len(records):
                current.adopted = True
                self._delivery = current
                return
        found = deliveries.noted(records[0])
        source = found.source if found is not None else bare_source()
        if self._group:
            source = source.of_group(self._group)
        shared = values(records, source)
        ambient = deliveries.ambient_context()
        delivery = start(records, source, shared, links(records, source.config.links_max, shared), ambient)
        delivery.adopted = True
        delivery.enter()
        self._delivery = delivery

    def _fail(self, record: Any, error: BaseException) -> None:
        if self._delivery is None:
            return
        kind = kind_of(error)
        self._failed_with = kind if self._failed_with in (None, kind) else "multiple"
        self._failures += 1
        if self._failures <= FAILURES_AT_MOST:
            said: dict[str, Any] = {**place(view(record)), names.ERROR_TYPE: kind}
            self._delivery.span.add_event(names.FAILED_EVENT, said)

    def _end(self, error: BaseException | None) -> None:
        if self._delivery is None:
            return
        if error is None and self._failed_with is not None:
            self._delivery.span.set_attribute(names.ERROR_TYPE, self._failed_with)
            self._delivery.span.set_status(Status(StatusCode.ERROR))
        self._delivery.end(error)
        deliveries.restore(self._outer)


def start(
    records: list[Any], source: Source, shared: dict[str, Any], linked: list[Link], ambient: Context
) -> Delivery:
    """Begins the span of a batch; its context is not entered yet."""
    delivery = Delivery(None, source, ambient)
    delivery.size = len(records)
    name = span_name("process", shared)
    delivery.span = source.tracer.start_span(name, ambient, SpanKind.CONSUMER, shared, linked)
    if (measure := source.counting()) is not None:
        first: dict[tuple[str, int], Any] = {}
        for record in records:
            first.setdefault((record.topic, record.partition), record)
        guard.settle("metrics", delivery.hold, measure, first.values())
    return delivery


def span_name(operation: str, shared: dict[str, Any]) -> str:
    """The operation, and the topic where the batch has only one."""
    topic = shared.get(names.TOPIC)
    return operation if topic is None else f"{operation} {topic}"


def values(records: list[Any], source: Source, known: list[Run] | None = None) -> dict[str, Any]:
    """Attributes that describe a batch; its runs where they are known already."""
    found_runs = runs(records) if known is None else known
    found: dict[str, Any] = {
        **source.base,
        names.BATCH_COUNT: len(records),
        names.OFFSETS: [
            f"{topic}:{partition}:{first}-{final}" for topic, partition, first, final in found_runs
        ],
    }
    topics = {run[0] for run in found_runs}
    if len(topics) == 1:
        found[names.TOPIC] = topics.pop()
    return found


def links(records: list[Any], at_most: int, shared: dict[str, Any]) -> list[Link]:
    """Links to the senders of the first records, each with the coordinates that the span's ``shared`` do not say."""
    found = []
    one_topic = names.TOPIC in shared
    for record in records[:at_most]:
        sender = propagation.sender_span(record.headers or ())
        if sender.is_valid:
            said = place(record)
            if one_topic:
                del said[names.TOPIC]
            found.append(Link(sender, said))
    return found


def runs(records: list[Any]) -> list[Run]:
    """Every offset of the batch, as runs without loss."""
    found: list[Run] = []
    for record in records:
        last = found[-1] if found else None
        if last and last[:2] == [record.topic, record.partition] and record.offset == last[3] + 1:
            last[3] = record.offset
        else:
            found.append([record.topic, record.partition, record.offset, record.offset])
    return found
