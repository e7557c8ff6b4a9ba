"""What a record and its headers say, as attributes of a span."""

import time
from typing import TYPE_CHECKING, Any

from . import attributes as names
from . import context as ctx
from . import families, keys
from . import headers as hdr

if TYPE_CHECKING:
    from .delivery import Delivery, Source


def place(record: Any) -> dict[str, Any]:
    """A record's coordinates, as attributes."""
    return {names.TOPIC: record.topic, names.PARTITION: str(record.partition), names.OFFSET: record.offset}


def note_record(record: Any, source: "Source", values: dict[str, Any]) -> None:
    """What the record itself says; how long it waited is the span's start less the record's time."""
    timestamp = record.timestamp
    if timestamp is not None and timestamp >= 0:
        values[names.RECORD_TS] = timestamp
        if kind := record.timestamp_type:
            values[names.RECORD_TS_TYPE] = kind
    size = record.serialized_value_size
    if size is not None and size >= 0:
        values[names.BODY_SIZE] = size
    if record.value is None:
        values[names.TOMBSTONE] = True
    if record.key is not None and source.config.capture_key != "none":
        values.update(keys.described(record.key, source.config))


def note_headers(
    topic: str, delivery: "Delivery", named: dict[str, Any], plain: bool, values: dict[str, Any]
) -> None:
    """What the record's headers say of its event; ``named`` are the headers by name.

    ``plain``: there are none but those of every message.
    """
    delivery.origin_topic = topic
    if delivery.redelivered:
        values[names.REDELIVERED] = True
    found = None
    if ctx.NAME in named:
        value = named[ctx.NAME]
        text = value.decode("latin-1") if type(value) is bytes else hdr.last(delivery.headers, ctx.NAME)
        found = delivery.said = ctx.match(text)
        if found is not None:
            values[names.EVENT_ID] = found[1]
    if not plain:
        headers = delivery.headers
        if found is None:
            event_id = ctx.stated_event_id(headers, delivery.source.config.event_id_headers)
            if event_id is not None:
                values[names.EVENT_ID] = event_id
        if (compensates := hdr.last(headers, hdr.COMPENSATES)) is not None:
            values[names.COMPENSATES] = compensates[:64]
        if (facts := families.read(headers, topic)) is not None:
            values.update(marks(facts))
            delivery.origin_topic = facts.origin_topic or topic


def way_in(record: Any, source: "Source") -> tuple[str, float | None]:
    """The pathway up to and including this consumer, and the seconds since the record's time where it is its own."""
    headers = record.headers or ()
    facts = families.read(headers, record.topic)
    origin_topic = (facts.origin_topic if facts is not None else None) or record.topic
    lineage = ctx.parse(hdr.last(headers, ctx.NAME))
    before = lineage.pathway if lineage is not None else ctx.START
    inherited = facts is not None and facts.time_inherited
    wait = None
    if record.timestamp is not None and record.timestamp >= 0 and not inherited:
        wait = max(time.time() - record.timestamp / 1000, 0.0)
    return ctx.prefix(before, source.service, "process", "in", origin_topic, source.group), wait


def marks(facts: families.Facts) -> dict[str, Any]:
    """What the headers of a retry, a dead letter or a replay say, as attributes."""
    origin = facts.origin
    values = {
        names.RETRY_FAMILY: facts.family,
        names.DEAD_LETTER: True if facts.role == "dead_letter" else None,
        names.ORIGIN: origin,
        names.RETRY_ORIGIN: origin if facts.role == "retry" else None,
        names.ORIGIN_GROUP: facts.origin_group,
        names.RETRY_ATTEMPT: facts.attempt,
        names.RETRY_DUE_MS: facts.due,
        names.RETRY_ERROR: facts.error_type,
        names.TS_INHERITED: True if facts.time_inherited else None,
    }
    return {name: value for name, value in values.items() if value is not None}
