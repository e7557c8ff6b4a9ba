"""How long questions take on a large store: `python -m tests.bench.questions --spans 10000000`.

Fills a store through its own append path, a row group at a time, over ten hours of span time; then asks through
the public relations, first at rest, then while more spans are being stored. Prints one JSON object a question.
In the midst of it lies one flow of 10,000 spans over 50 traces. Ids do not follow time.
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
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

# pytest puts the tests' helpers on the path; a benchmark is run without it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from headwater_collector import records  # noqa: E402
from headwater_collector.store import Store, append_spans  # noqa: E402

from .question_spans import BEGIN_NS, HOURS, LARGE_FLOW, ROWS, batches, large_flow  # noqa: E402
from .yardstick import million_loops_ms  # noqa: E402


def questions(store: Store) -> dict[str, Callable[[], tuple[str, list[object]]]]:
    """By name, a statement and its parameters, new ones each time."""
    sampled = "select distinct trace_id from spans using sample 60 rows"
    ids = [one for (one,) in store.read(sampled) if one[:16] != LARGE_FLOW[:16]]
    dice = random.Random(7)
    hour = "started_at between make_timestamp_ns(?) and make_timestamp_ns(?)"

    def window() -> list[object]:
        since = BEGIN_NS + dice.randrange(HOURS) * 3600 * 10**9
        return [since, since + 3600 * 10**9]

    two = "make_timestamp_ns(?), make_timestamp_ns(?)"
    between = "seen_since := make_timestamp_ns(?), seen_until := make_timestamp_ns(?)"
    return {
        "trace by id": lambda: ("from trace(?)", [dice.choice(ids)]),
        "flow by id": lambda: ("from flow_spans(?)", [dice.choice(ids)]),
        "flow of 10,000 spans over 50 traces": lambda: ("from flow_spans(?)", [LARGE_FLOW]),
        "totals of a flow by id": lambda: ("from flows_named([?])", [dice.choice(ids)]),
        "newest 20 by service, operation and duration": lambda: (
            f"from newest_spans(20, {between}, of_service := 'orders', of_name := 'process orders', least_ms := 190)",
            window(),
        ),
        "the same by a filter on spans": lambda: (
            f"from spans where service = 'orders' and name = 'process orders' and duration_ms >= 190 and {hour} "
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
        "newest 100 flows, one hour": lambda: (f"from newest_flows({two}, 100)", window()),
        "flows of one hour, counted": lambda: (f"select count(*) from flows_between({two})", window()),
        "100 longest flows, one hour": lambda: (
            f"select flow_id from flows_between({two}) order by total_ms desc limit 100",
            window(),
        ),
        "the newest by a filter on flows": lambda: (
            f"from flows where {hour} order by started_at desc limit 100",
            window(),
        ),
        "pathways, one hour": lambda: (f"from pathways_between({two})", window()),
        "pathways of everything": lambda: ("from pathways", []),
        "waits by group, one hour": lambda: (
            f"select consumer_group, quantile_cont(wait_ms, 0.95) from hops where {hour} group by 1",
            window(),
        ),
    }


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
    large: records.SpanBatch | None = None
    for number, batch in enumerate(batches(spans, seed)):
        if large is None and done + batch.spans.num_rows > spans // 2:
            first = int(batch.spans["started_at"].cast(pa.int64())[0].as_py())
            large = replace(batch, spans=large_flow(first, random.Random(seed)))
            _append(store, large, records.LogPosition(1, number), summaries)
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
    parser.add_argument(
        "--store", type=Path, help="a store to ask at rest; filled where there is none, and kept"
    )
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="headwater-questions-"))
    try:
        path = given.store or folder / "headwater.duckdb"
        if not path.exists():
            if given.store is None:
                store = Store.open(folder / "rows.duckdb")
                _print(fill(store, min(given.spans, 8 * ROWS), given.seed, summaries=False))
                store.close()
            store = Store.open(path)
            _print(fill(store, given.spans, given.seed))
            store.close()
        began = time.perf_counter()
        store = Store.open(path)
        _print(
            {"open_seconds": round(time.perf_counter() - began, 2), "million_loops_ms": million_loops_ms()}
        )
        for found in ask(store, given.times):
            _print({**found, "while": "at rest"})
        if given.store is None:
            _ask_while_storing(store, given.times, given.seed + 1)
        store.close()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        _print({"peak_megabytes": peak, "million_loops_ms": million_loops_ms()})
    finally:
        shutil.rmtree(folder)


def _ask_while_storing(store: Store, times: int, seed: int) -> None:
    ended = threading.Event()
    storing = threading.Thread(target=_keep_storing, args=(store, ended, seed))
    storing.start()
    try:
        for found in ask(store, times):
            _print({**found, "while": "storing"})
    finally:
        ended.set()
        storing.join()


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
