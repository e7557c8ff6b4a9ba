"""How right lag time is, and how soon faults are named: `python -m tests.bench.lag`, `make bench-lag`.

A real broker, topics with steady, bursty and idle producers whose send times are known, and groups whose committed
offsets are moved by hand: close behind, far behind, in jumps. A watch polls them as a collector does, on a store of its
own, once with records read and once without. Each row of `lag` is held against the truth, which is the time of the
record at the committed offset. Then consumers are stopped, rewound and overtaken by retention, and the polls counted
until the verdict names it. Prints a table a part, then polling.py's and history.py's JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import sys
import tempfile
import threading
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# pytest puts the tests' helpers on the path; a benchmark is run without it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from confluent_kafka import Producer, TopicPartition  # noqa: E402

import kafka_harness  # noqa: E402
from headwater_collector.kafka.watch import ClusterConfig, KafkaWatch  # noqa: E402
from headwater_collector.store import Store  # noqa: E402
from kafka_watching import Watching, client_options, commit, produce  # noqa: E402

POLL_SECONDS = 2.0
WANTED_RECORD_MS = 50.0
TOPICS = {"steady": 20.0, "bursty": 40.0, "idle": 0.2}
"""Kind of topic -> messages a second, on average."""
BEHIND = (1, 30, 200)
"""Messages that the groups of a topic stand behind."""


@dataclass
class Truth:
    """When each offset of a one-partition topic was sent, in the records' own time."""

    times: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def lag_seconds(self, committed: int, at: float) -> float | None:
        """Age at a moment of the record at the committed offset; None where there was none yet."""
        with self.lock:
            return at - self.times[committed] if committed < len(self.times) else None

    def end_at(self, at: float) -> int:
        with self.lock:
            return bisect_right(self.times, at)


class Producing(threading.Thread):
    """Sends one kind of traffic to one topic, each message with the time at which it is handed over."""

    def __init__(self, bootstrap: str, kind: str, truth: Truth, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self._producer = Producer(client_options(bootstrap, **{"linger.ms": 0}))
        self._kind, self._truth, self._ended = kind, truth, ended

    def run(self) -> None:
        rate, random_of = TOPICS[self._kind], random.Random(self._kind)
        while not self._ended.is_set():
            count = random_of.randint(1, 80) if self._kind == "bursty" else 1
            for _ in range(count):
                now = round(time.time(), 3)
                with self._truth.lock:
                    self._producer.produce(
                        f"bench-{self._kind}", b"x", timestamp=round(now * 1000), partition=0
                    )
                    self._truth.times.append(now)
            self._producer.flush(20)
            self._ended.wait(count / rate)


def move(bootstrap: str, truths: dict[str, Truth], ended: threading.Event) -> None:
    """Commits for every group: each stays about as far behind as its name says, the last one in jumps."""
    turn = 0
    while not ended.wait(0.7):
        turn += 1
        for kind, truth in truths.items():
            for behind in BEHIND:
                if behind == BEHIND[-1] and turn % 10:
                    continue
                offset = max(0, len(truth.times) - behind)
                commit(bootstrap, f"{kind}-{behind}", f"bench-{kind}", {0: offset})


async def sampled(
    watched: Watching, truths: dict[str, Truth], seconds: float
) -> dict[tuple[str, str], list[Any]]:
    """(kind, method) -> (error in seconds, stated bound) of every row that a poll brought."""
    found: dict[tuple[str, str], list[Any]] = defaultdict(list)
    seen: set[tuple[str, float]] = set()
    end = time.monotonic() + seconds
    asked = (
        "select consumer_group, topic, committed, epoch(sampled_at), lag_seconds, lag_method, lag_error_seconds, lag "
        "from lag where lag_seconds is not null"
    )
    while time.monotonic() < end:
        for group, topic, committed, at, said, method, bound, lag in await asyncio.to_thread(
            watched.store.read, asked
        ):
            if (group, at) in seen:
                continue
            seen.add((group, at))
            kind = topic.removeprefix("bench-")
            true = 0.0 if lag == 0 else truths[kind].lag_seconds(committed, at)
            if true is not None:
                found[kind, method].append((abs(said - true), bound, said <= true + 0.001))
        await asyncio.sleep(0.3)
    return found


def table(found: dict[tuple[str, str], list[Any]], records: bool) -> bool:
    """Prints a line a kind and method; whether all is as wanted."""
    good = True
    sys.stdout.write("records  topic   method            samples  p50 ms   p99 ms   max ms   within bound\n")
    for (kind, method), rows in sorted(found.items()):
        errors = sorted(error * 1000 for error, _, _ in rows)
        p50, p99 = errors[len(errors) // 2], errors[min(len(errors) - 1, int(len(errors) * 0.99))]
        # At least is a bound from below; record is wanted within the clocks' difference.
        held = [
            below if method == "at_least" else error <= (bound or 0.0) + WANTED_RECORD_MS / 1000
            for error, bound, below in rows
        ]
        share = sum(held) / len(held)
        good = good and share >= 0.99
        sys.stdout.write(
            f"{'read' if records else 'not':7}  {kind:6}  {method:16}  {len(rows):7}  {p50:6.1f}  {p99:7.1f}  "
            f"{errors[-1]:7.1f}  {share:12.3f}\n"
        )
    return good


async def accuracy(kafka: kafka_harness.KafkaBroker, seconds: float, records: bool) -> bool:
    """One watch, all kinds of topics."""
    truths = {kind: Truth() for kind in TOPICS}
    ended = threading.Event()
    for kind in TOPICS:
        if f"bench-{kind}" in kafka.admin().list_topics(timeout=20).topics:
            kafka.delete_topic(f"bench-{kind}")
        kafka.create_topic(f"bench-{kind}", 1)
    threads: list[threading.Thread] = [
        Producing(kafka.bootstrap, kind, truth, ended) for kind, truth in truths.items()
    ]
    threads.append(threading.Thread(target=move, args=(kafka.bootstrap, truths, ended), daemon=True))
    with tempfile.TemporaryDirectory(prefix="headwater-lag-") as folder:
        store = Store.open(Path(folder) / "headwater.duckdb")
        config = ClusterConfig("bench", kafka.bootstrap, read_records=records)
        watch = KafkaWatch(store, [config], poll_seconds=POLL_SECONDS)
        await watch.start()
        for thread in threads:
            thread.start()
        try:
            return table(await sampled(Watching(store, watch), truths, seconds), records)
        finally:
            ended.set()
            for thread in threads:
                await asyncio.to_thread(thread.join)
            await watch.stop()
            store.close()


async def verdicts(kafka: kafka_harness.KafkaBroker, rounds: int) -> bool:
    """Polls from the fault to the verdict, for groups that are stopped, rewound, overtaken by retention."""
    polls: dict[str, list[int]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="headwater-lag-") as folder:
        store = Store.open(Path(folder) / "headwater.duckdb")
        watch = KafkaWatch(store, [ClusterConfig("bench", kafka.bootstrap)], poll_seconds=1.0)
        watched = Watching(store, watch)
        await watch.start()
        for number in range(rounds):
            topic = await asyncio.to_thread(kafka.create_topic, f"bench-fault-{number}", 1)
            await asyncio.to_thread(produce, kafka.bootstrap, topic, ["x"] * 100)
            for fault, offset in (("stopped", 100), ("rewound", 90), ("lost", 10)):
                await asyncio.to_thread(commit, kafka.bootstrap, f"{fault}-{number}", topic, {0: offset})
            await watched.polled(3)
            await asyncio.to_thread(produce, kafka.bootstrap, topic, ["x"] * 5)
            polls["stopped"].append(await _named(watched, f"stopped-{number}", "stopped"))
            await asyncio.to_thread(commit, kafka.bootstrap, f"rewound-{number}", topic, {0: 40})
            polls["rewound"].append(await _named(watched, f"rewound-{number}", "rewound"))
            await asyncio.to_thread(_purge, kafka, topic)
            polls["lost"].append(await _named(watched, f"lost-{number}", "lost"))
        await watch.stop()
        store.close()
    sys.stdout.write("fault     rounds  polls to the verdict: median, most\n")
    for fault, numbers in polls.items():
        numbers.sort()
        sys.stdout.write(f"{fault:8}  {len(numbers):6}  {numbers[len(numbers) // 2]:6}  {numbers[-1]:4}\n")
    return all(max(numbers) <= 3 for numbers in polls.values())


def _purge(kafka: kafka_harness.KafkaBroker, topic: str) -> None:
    place, admin = TopicPartition(topic, 0, 30), kafka.admin()
    admin.delete_records([place])[place].result(20)


async def _named(watched: Watching, group: str, status: str) -> int:
    """Polls that ended after the fault until the verdict was there."""
    before = int(str(watched.watch.status()[0]["polls"]))
    await watched.status(group, status, seconds=60.0)
    return int(str(watched.watch.status()[0]["polls"])) - before


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="of each accuracy run; 0 leaves them out")
    parser.add_argument("--rounds", type=int, default=5, help="of faults")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="headwater-kafka-") as folder:
        kafka = kafka_harness.KafkaBroker(Path(folder))
        kafka.start()
        try:
            good = []
            if arguments.seconds:
                good += [
                    asyncio.run(accuracy(kafka, arguments.seconds, records)) for records in (True, False)
                ]
            good.append(asyncio.run(verdicts(kafka, arguments.rounds)))
        finally:
            kafka.stop()
    sys.stdout.write(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB\n")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
