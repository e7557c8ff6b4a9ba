"""What the benchmark of questions stores: traces of eight spans by the row group, and one large flow."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from headwater_collector import records

ROWS = 122_880
HOURS = 10
BEGIN_NS = 1_790_000_000_000_000_000
SERVICES = ("checkout", "orders", "payments", "inventory", "shipping", "mail")
TRACE_SPANS = 8
LARGE_TRACES, LARGE_TRACE_SPANS = 50, 200
LARGE_FLOW = f"{'f' * 16}{0:016x}"


def batches(spans: int, seed: int) -> Iterator[records.SpanBatch]:
    """Traces of eight spans: a server span, a send of its message, its handling in two groups, and database work."""
    dice = random.Random(seed)
    step_ns = HOURS * 3600 * 10**9 // spans
    empty = {name: getattr(records, f"{name}_SCHEMA").empty_table() for name in ("LINK", "EVENT")}
    resources = pa.Table.from_pylist(
        [
            {
                "resource_id": n,
                "first_seen": BEGIN_NS,
                "service": s,
                "attributes": f'{{"service.name":"{s}"}}',
            }
            for n, s in enumerate(SERVICES)
        ],
        schema=records.RESOURCE_SCHEMA,
    )
    for first in range(0, spans, ROWS):
        rows = min(ROWS, spans - first)
        table = _spans(first, rows, step_ns, dice)
        yield records.SpanBatch(
            table, empty["LINK"], empty["EVENT"], resources, records.SCOPE_SCHEMA.empty_table()
        )


NAMES = (
    "POST /orders/{id}",
    "send orders",
    "SELECT orders",
    "process orders",
    "process orders",
    "UPDATE stock",
)
KINDS = ("server", "producer", "client", "consumer", "consumer", "client")


def _spans(first: int, rows: int, step_ns: int, dice: random.Random) -> pa.Table:
    found: list[tuple[Any, ...]] = []
    ids: list[str] = []
    for at in range(first, first + rows):
        trace, place = divmod(at, TRACE_SPANS)
        shape = min(place, 5)
        ids = ids[-7:] if place else []
        drawn = dice.getrandbits(63)
        ids.append(f"{drawn:016x}")
        start = BEGIN_NS + at * step_ns + place * 2_000_000
        service = (trace + (place if place > 2 else 0)) % len(SERVICES)
        message = shape in (1, 3, 4)
        attributes = (
            f'{{"server.address":"kafka-{service}.prod","server.port":9092,"user.id":"{drawn % 100000:08x}",'
            f'"http.route":"/orders/{{id}}","http.response.status_code":200,"url.scheme":"https",'
            f'"client.address":"10.1.{drawn % 256}.{drawn % 199}","thread.id":{drawn % 64},'
            f'"code.function":"handle_{place}","deployment.color":"{"blue" if drawn % 2 else "green"}"}}'
        )
        found.append(
            (
                start, f"{trace * 0x9E3779B97F4A7C15 % 2**64:016x}{trace:016x}", ids[-1],
                ids[-1 - min(place, 3)] if len(ids) > min(place, 3) and place else None,
                SERVICES[service], NAMES[shape], KINDS[shape], start, start + dice.randrange(100_000, 200_000_000),
                "error" if drawn % 1000 == 0 else "unset", attributes, service, 0,
                "orders" if message else None, trace % 12 if message else None, trace // 12 if message else None,
                ("billing", "stock")[place % 2] if shape in (3, 4) else None,
                "send" if shape == 1 else "process" if message else None,
            )
        )  # fmt: skip
    names = (
        "received_at trace_id span_id parent_span_id service name kind started_at ended_at status attributes "
        "resource_id scope_id topic partition message_offset consumer_group operation"
    ).split()
    columns = dict(zip(names, zip(*found, strict=True), strict=True))
    zeros = dict.fromkeys(("flags", "dropped_attributes", "dropped_events", "dropped_links"), [0] * rows)
    nothing = [None] * rows
    return pa.table(
        [
            pa.array(columns.get(field.name, zeros.get(field.name, nothing)), field.type)
            for field in records.SPAN_SCHEMA
        ],
        records.SPAN_SCHEMA,
    )


def large_flow(began: int, dice: random.Random) -> pa.Table:
    """A flow over many traces: each but the first begins with handling a message that an earlier one sent."""
    found: list[dict[str, Any]] = []
    zeros = dict.fromkeys(("scope_id", "flags", "dropped_attributes", "dropped_events", "dropped_links"), 0)
    for trace in range(LARGE_TRACES):
        ids = [f"{dice.getrandbits(63):016x}" for _ in range(LARGE_TRACE_SPANS)]
        for place, span_id in enumerate(ids):
            start = began + trace * 50_000_000 + place * 200_000
            sent = 3 * trace + place if 1 <= place <= 3 and 3 * trace + place < LARGE_TRACES else None
            message = trace if trace and not place else sent
            found.append(
                {
                    **zeros,
                    "received_at": start,
                    "trace_id": f"{'f' * 16}{trace:016x}",
                    "span_id": span_id,
                    "parent_span_id": ids[(place - 1) // 4] if place else None,
                    "service": SERVICES[trace % len(SERVICES)],
                    "name": "step",
                    "kind": "internal" if message is None else "producer" if sent else "consumer",
                    "started_at": start,
                    "ended_at": start + (100_000 if place else 40_100_000),
                    "status": "unset",
                    "attributes": f'{{"step":{place}}}',
                    "resource_id": trace % len(SERVICES),
                    "topic": None if message is None else "bulk",
                    "partition": None if message is None else 0,
                    "message_offset": message,
                    "consumer_group": "bulk" if message is not None and not sent else None,
                    "operation": None if message is None else "send" if sent else "process",
                }
            )
    return pa.Table.from_pylist(found, records.SPAN_SCHEMA)
