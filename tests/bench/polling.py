"""What polling costs: `python -m tests.bench.polling`, part of `make bench-lag`.

A real broker with 200 groups that have committed on 50 partitions each is polled as a collector does: asked, judged,
written to a store. CPU is that of this process, which does nothing else then; the broker has its own. Prints one JSON
object: wall and CPU of the poller's questions alone, then of each step of a whole turn, medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

# pytest puts the tests' helpers on the path; a benchmark is run without it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition  # noqa: E402

import kafka_harness  # noqa: E402
from headwater_collector.kafka.answers import answer  # noqa: E402
from headwater_collector.kafka.cluster_config import ClusterConfig  # noqa: E402
from headwater_collector.kafka.poll_writer import restore, write_poll  # noqa: E402
from headwater_collector.kafka.poller import Poller  # noqa: E402
from headwater_collector.store import Store  # noqa: E402
from kafka_watching import produce  # noqa: E402

TOPIC = "bench-orders"
INTERVAL = 10.0
AHEAD = 20
"""Offsets that groups stand behind at first, at most."""


def commit_all(kafka: kafka_harness.KafkaBroker, groups: int, partitions: int, offset: int) -> None:
    """Commits for every group as an operator would, without members."""
    admin = kafka.admin()

    def of_group(number: int) -> None:
        places = [TopicPartition(TOPIC, each, (offset + number + each) % AHEAD) for each in range(partitions)]
        request = [ConsumerGroupTopicPartitions(f"bench-{number:04d}", places)]
        for future in admin.alter_consumer_group_offsets(request).values():
            future.result(30)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(of_group, range(groups)))


def commit_empty(kafka: kafka_harness.KafkaBroker, groups: int) -> None:
    """So many more groups without members, each with one committed offset that nobody moves."""
    admin = kafka.admin()
    for first in range(0, groups, 500):
        futures: dict[str, Any] = {}
        for number in range(first, min(first + 500, groups)):
            request = [ConsumerGroupTopicPartitions(f"empty-{number:06d}", [TopicPartition(TOPIC, 0, AHEAD)])]
            futures |= admin.alter_consumer_group_offsets(request)
        for future in futures.values():
            future.result(60)


def timed(call: Callable[..., Any], *arguments: Any) -> tuple[Any, float, float]:
    """The result, wall and CPU milliseconds of this process."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = call(*arguments)
    return result, (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000


def measure(kafka: kafka_harness.KafkaBroker, groups: int, partitions: int, rounds: int) -> dict[str, Any]:
    """Polls and judges `rounds` times; the groups move before every second poll."""
    config = ClusterConfig("bench", kafka.bootstrap)
    poller = Poller(config)
    walls: list[float] = []
    cpus: dict[str, list[float]] = {"poll": [], "take": [], "judge": [], "write": []}
    with tempfile.TemporaryDirectory(prefix="headwater-polling-") as folder:
        store = Store.open(Path(folder) / "headwater.duckdb")
        tracker = None
        while len((seen := poller.poll()).committed) < len(seen.groups):
            pass  # of very many empty groups each poll asks some; the cost is that of when all are known
        for turn in range(rounds + 2):
            if turn % 2:
                commit_all(kafka, groups, partitions, turn)
            snapshot, wall, cpu = timed(poller.poll)
            tracker = tracker or restore(store, snapshot.cluster, INTERVAL)
            lives, _, take = timed(tracker.take, snapshot)
            _, _, settle = timed(tracker.settle)
            answers, _, judge = timed(answer, tracker)
            _, _, write = timed(write_poll, store, config, tracker, answers, lives)
            if turn < 2:
                continue  # connections and first histories
            walls.append(wall)
            for name, value in (("poll", cpu), ("take", take + settle), ("judge", judge), ("write", write)):
                cpus[name].append(value)
        store.close()
    poller.close()
    medians = {name: round(statistics.median(values)) for name, values in cpus.items()}
    whole = sum(medians.values())
    return {
        "groups": groups,
        "partitions": partitions,
        "rounds": rounds,
        "poll_wall_ms": round(statistics.median(walls)),
        "poll_wall_least_ms": round(min(walls)),
        **{f"{name}_cpu_ms": value for name, value in medians.items()},
        "turn_cpu_ms": whole,
        f"percent_of_a_core_at_{INTERVAL:.0f}_s": round(whole / INTERVAL / 10, 1),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--groups", type=int, default=200)
    parser.add_argument("--partitions", type=int, default=50)
    parser.add_argument("--empty", type=int, default=0, help="groups without members besides (50000)")
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headwater-kafka-") as folder:
        kafka = kafka_harness.KafkaBroker(Path(folder))
        kafka.start()
        try:
            kafka.create_topic(TOPIC, arguments.partitions)
            for partition in range(arguments.partitions):
                produce(kafka.bootstrap, TOPIC, ["x"] * AHEAD, partition=partition)
            commit_all(kafka, arguments.groups, arguments.partitions, 0)
            commit_empty(kafka, arguments.empty)
            found = measure(kafka, arguments.groups, arguments.partitions, arguments.rounds)
        finally:
            kafka.stop()
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
