"""What samples of Kafka take on disk and in memory: `python -m tests.bench.history`, part of `make bench-lag`.

Fills a store with 30 days of polls of a thousand partitions and one group, hour by hour, thinning as the collector
does, and prints the bytes; then lets a tracker take 24 hours of polls and prints how memory grew after the first hour.
No broker takes part, and the clock is simulated.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from headwater_collector.kafka.answers import answer
from headwater_collector.kafka.snapshot import GroupSeen, Partition, Snapshot
from headwater_collector.kafka.tracker import Tracker
from headwater_collector.store import Store
from headwater_collector.store.retention import used_bytes
from headwater_collector.store.tiers import Thinning

NOW = datetime(2026, 11, 1, tzinfo=UTC)
POLL = 5
_POLLS = "from range(0, {polls}) p(i), range(0, {partitions}) parts(number)"
_WHO = "?::timestamp + to_seconds(i * {poll}) as sampled_at, 'c1' as cluster, 't' || number // 50 as topic, " \
    "1 as incarnation, number % 50 as partition"  # fmt: skip
_OFFSETS = "({start} + i * {poll}) * (1 + number % 40) + (hash(number, i) % 50)::bigint"


def bytes_of_history(partitions: int, days: int) -> dict[str, object]:
    """Used bytes of a store after so many days, the WAL not counted: it is written into the file."""
    with tempfile.TemporaryDirectory(prefix="headwater-history-") as folder:
        store = Store.open(Path(folder) / "headwater.duckdb")
        empty = used_bytes(store)
        thinning, cpu = Thinning(), time.process_time()
        thinned = 0.0
        for hour in range(days * 24):
            # Old days as they are left, a sample in ten minutes or one, so that the run takes minutes and not hours;
            # the last one as it comes.
            left = days * 24 - hour
            poll = POLL if left <= 24 else 60 if left <= 72 else 600
            start = NOW - timedelta(days=days) + timedelta(hours=hour)
            _fill(store, partitions, start, hour * 3600, poll)
            if poll == POLL:
                began = time.process_time()
                thinning.apply(store, start + timedelta(hours=1))
                thinned += time.process_time() - began
        store.checkpoint()
        rows = {
            table: store.read(f"select count(*) from {table}")[0][0]
            for table in ("offset_samples", "commit_samples")
        }
        megabytes = (used_bytes(store) - empty) / 1e6
        store.close()
    return {
        "partitions": partitions,
        "days": days,
        "rows": rows,
        "megabytes": round(megabytes, 1),
        "thinning_cpu_seconds_a_day": round(thinned, 1),
        "cpu_seconds": round(time.process_time() - cpu),
    }


def _fill(store: Store, partitions: int, start: datetime, since: int, poll: int) -> None:
    polls = _POLLS.format(polls=3600 // poll, partitions=partitions)
    who = _WHO.format(poll=poll)
    ends = _OFFSETS.format(start=since, poll=poll)
    naive = [start.replace(tzinfo=None)]

    def work(table: str, columns: str) -> None:
        store.write(
            lambda writer: writer.execute(
                f"insert into {table} by name select {who}, {columns} {polls}", naive
            )
        )

    work("offset_samples", f"0 as log_start, {ends} as end_offset, {ends} as stable_offset")
    lag = "(hash(i, number) % 30)::bigint"
    work(
        "commit_samples",
        f"'payments' as consumer_group, {ends} - {lag} as committed, {lag} as lag, "
        f"{lag} / (1.0 + number % 40) as lag_seconds, 'record' as lag_method",
    )


def memory_of_a_day(partitions: int, hours: int) -> dict[str, object]:
    """Resident size of a tracker that has taken so many hours of polls."""
    tracker, seeded = Tracker(POLL), random.Random(1)
    places = [Partition(f"t{number // 50}", number % 50) for number in range(partitions)]
    topics = {place.topic: 50 for place in places}
    end = dict.fromkeys(places, 0)
    sizes: dict[int, float] = {}
    for poll in range(hours * 3600 // POLL):
        for place in places:
            end[place] += seeded.randrange(20)
        committed = {place: max(0, at - seeded.randrange(30)) for place, at in end.items()}
        tracker.take(
            Snapshot(
                at=1.79e9 + poll * POLL,
                cluster="c1",
                brokers=1,
                topics=topics,
                topic_ids={},
                groups={"payments": GroupSeen("payments", "stable", "classic", ())},
                committed={"payments": committed},
                log_start=dict.fromkeys(places, 0),
                stable=dict(end),
                end=dict(end),
                group_refusals={},
                groups_complete=True,
                refusals=(),
                poll_ms=1.0,
            )  # fmt: skip
        )
        tracker.settle()
        if poll % 720 == 0:
            answer(tracker)
            sizes[poll // 720] = resident_megabytes()
    last = max(sizes)
    return {
        "group_partitions": partitions,
        "hours": hours,
        "megabytes_after_one_hour": round(sizes.get(1, sizes[0]), 1),
        "megabytes_at_the_end": round(sizes[last], 1),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def _print(found: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--partitions", type=int, default=1000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--tracked", type=int, default=100, help="group-partitions of the day in memory")
    arguments = parser.parse_args()
    _print(memory_of_a_day(arguments.tracked, arguments.hours))
    _print(bytes_of_history(arguments.partitions, arguments.days))
    return 0


if __name__ == "__main__":
    sys.exit(main())
