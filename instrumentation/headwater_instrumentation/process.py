"""``process(record)``: the handler's body, said explicitly; and ``current_event()`` inside it."""

from dataclasses import dataclass
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace

from . import attributes as names
from . import delivery as deliveries
from . import families
from .body import Body
from .config import Config
from .records import view


@dataclass(frozen=True)
class Event:
    """What is being handled here."""

    topic: str
    partition: int
    offset: int
    event_id: str | None
    """The same over retries, dead letters and replays; None where the sender wrote none."""
    hop: int | None
    root_ms: int | None
    """When the first event of the chain was sent, milliseconds since the epoch."""
    attempt: int
    """1 for the first try; higher where headers of a retry say so."""


def current_event() -> Event | None:
    """The record whose handling runs here; None outside of one."""
    delivery = deliveries.current()
    if delivery is None or delivery.place is None:
        return None
    topic, partition, offset = delivery.place
    lineage = delivery.lineage
    facts = families.read(delivery.headers, topic)
    return Event(
        topic,
        partition,
        offset,
        lineage.event_id if lineage else None,
        lineage.hop if lineage else None,
        lineage.root_ms if lineage else None,
        facts.attempt or 1 if facts is not None else 1,
    )


class process(Body):  # noqa: N801 - used like a function: with process(record)
    """The span of one record's handling, as ``with process(record):`` or ``async with process(record):``.

    Takes over the span that the consumer began by itself, so that it ends with the body, errors included; else it
    begins one of its own. Nothing of it ever raises, and an error of the body passes through.
    """

    def __init__(self, record: Any, *, group: str | None = None) -> None:
        self._record = record
        self._group = group

    def _begin(self) -> None:
        self._outer = otel_context.get_current()
        delivery = deliveries.noted(self._record)
        if delivery is None or delivery.ended:
            before = delivery or deliveries.current()
            source = before.source if before is not None else bare_source()
            if self._group:
                source = source.of_group(self._group)
            redelivered = delivery is not None and delivery.redelivered
            delivery = deliveries.start(view(self._record), source, redelivered)
        if delivery is not None:
            delivery.adopted = True
            delivery.enter()
        self._delivery = delivery

    def _end(self, error: BaseException | None) -> None:
        if self._delivery is not None:
            self._delivery.end(error)
            deliveries.restore(self._outer)


def bare_source() -> deliveries.Source:
    """For a record that no instrumented consumer handed out."""
    base = {names.SYSTEM: names.KAFKA, names.OPERATION_NAME: "process", names.OPERATION_TYPE: "process"}
    tracer = trace.get_tracer("headwater_instrumentation", schema_url=names.SCHEMA_URL)
    return deliveries.Source(tracer, base, "", service_name(), Config.read())


def service_name() -> str:
    """service.name as the SDK's provider says it, else the environment, else unknown_service."""
    import os

    resource = getattr(trace.get_tracer_provider(), "resource", None)
    found = getattr(resource, "attributes", {}).get("service.name")
    return str(found or os.environ.get("OTEL_SERVICE_NAME") or "unknown_service")
