"""How long questions take on a large store: `python -m tests.bench.questions --spans 10000000`.

Fills a store through its own append path, a row group at a time, over ten hours of span time; then asks through
the public relations, first at rest, then while more spans are being stored. Prints one JSON object a question.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

# pytest puts the tests' helpers on the path; a benchmark is run without it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from headwater_collector import records  # noqa: E402
from headwater_collector.store import Store, append_spans  # noqa: E402

ROWS = 122_880
HOURS = 10
BEGIN_NS = 1_790_000_000_000_000_000
SERVICES = ("checkout", "orders", "payments", "inventory", "shipping", "mail")
TRACE_SPANS = 8


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


def questions(store: Store) -> dict[str, Callable[[], tuple[str, list[object]]]]:
    """By name, a statement and its parameters, new ones each time."""
    ids = [row[0] for row in store.read("select distinct trace_id from spans using sample 40 rows")]
    dice = random.Random(7)
    hour = "started_at between make_timestamp_ns(?) and make_timestamp_ns(?)"

    def window() -> list[object]:
        since = BEGIN_NS + dice.randrange(HOURS) * 3600 * 10**9
        return [since, since + 3600 * 10**9]

    return {
        "trace by id": lambda: ("from trace(?)", [dice.choice(ids)]),
        "flow by id": lambda: ("from flow_spans(?)", [dice.choice(ids)]),
        "newest 20 by service, operation and duration": lambda: (
            f"from spans where service = 'orders' and name = 'process orders' and duration_ms > 190 and {hour} "
            "order by started_at desc limit 20",
            window(),
        ),
        "quantiles by service, one hour": lambda: (
            "select service, count(*), quantile_cont(duration_ms, [0.5, 0.95, 0.99]) from spans "
            f"where {hour} group by service",
            window(),
        ),
        "an attribute that is not promoted, one hour": lambda: (
            "select count(*) from spans where attributes ->> '$.\"deployment.color\"' = 'blue' "
            f"and service = 'orders' and {hour}",
            window(),
        ),
        "newest 100 flows, one hour": lambda: (f"from flows where {hour} order by started_at desc limit 100", window()),
        "waits by group, one hour": lambda: (
            f"select consumer_group, quantile_cont(wait_ms, 0.95) from hops where {hour} group by 1",
            window(),
        ),
    }  # fmt: skip


def ask(store: Store, times: int) -> Iterator[dict[str, object]]:
    """Milliseconds of each question, the first one apart: it reads from the disk. CPU is the whole process's."""
    for name, make in questions(store).items():
        took, cpu = [], []
        for _ in range(times):
            sql, params = make()
            began, spent = time.perf_counter(), time.process_time()
            found = store.read(sql, params)
            took.append((time.perf_counter() - began) * 1e3)
            cpu.append((time.process_time() - spent) * 1e3)
        yield {
            "question": name,
            "median_ms": round(statistics.median(took[1:]), 1),
            "median_cpu_ms": round(statistics.median(cpu[1:]), 1),
            "most_ms": round(max(took[1:]), 1),
            "first_ms": round(took[0], 1),
            "rows": len(found),
        }


def fill(store: Store, spans: int, seed: int, summaries: bool = True) -> dict[str, object]:
    """Stores so many spans; what that cost."""
    cpu, done, longest, since = 0.0, 0, 0.0, 0
    for number, batch in enumerate(batches(spans, seed)):
        before, began = time.process_time(), time.perf_counter()
        _append(store, batch, records.LogPosition(1, number), summaries)
        since += batch.spans.num_rows
        if since >= 500_000:
            store.checkpoint()
            since = 0
        longest = max(longest, time.perf_counter() - began)
        cpu += time.process_time() - before
        done += batch.spans.num_rows
    before = time.process_time()
    store.checkpoint()
    cpu += time.process_time() - before
    return {
        "spans": done,
        "summaries": summaries,
        "store_cpu_us_a_span": round(cpu / done * 1e6, 2),
        "disk_bytes_a_span": round(store.size_bytes() / done, 1),
        "longest_flush_seconds": round(longest, 2),
    }


def main() -> None:
    """Fill, ask at rest, ask while storing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spans", type=int, default=2_000_000)
    parser.add_argument("--times", type=int, default=9, help="how often each question is asked")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="headwater-questions-"))
    try:
        store = Store.open(folder / "rows.duckdb")
        _print(fill(store, min(given.spans, 8 * ROWS), given.seed, summaries=False))
        store.close()
        path = folder / "headwater.duckdb"
        store = Store.open(path)
        _print(fill(store, given.spans, given.seed))
        store.close()
        began = time.perf_counter()
        store = Store.open(path)
        _print({"open_seconds": round(time.perf_counter() - began, 2)})
        for found in ask(store, given.times):
            _print({**found, "while": "at rest"})
        ended = threading.Event()
        storing = threading.Thread(target=_keep_storing, args=(store, ended, given.seed + 1))
        storing.start()
        try:
            for found in ask(store, given.times):
                _print({**found, "while": "storing"})
        finally:
            ended.set()
            storing.join()
        store.close()
        _print({"peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024})
    finally:
        shutil.rmtree(folder)


def _keep_storing(store: Store, ended: threading.Event, seed: int) -> None:
    for number, batch in enumerate(batches(100 * ROWS, seed)):
        if ended.is_set():
            return
        _append(store, batch, records.LogPosition(2, number), True)


def _append(store: Store, batch: records.SpanBatch, position: records.LogPosition, summaries: bool) -> None:
    store.write(lambda writer: append_spans(writer, batch, position, summaries=summaries))


def _print(found: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
