"""How long a critical path takes: `python -m tests.bench.critical_path --spans 10000`.

Requests, calls, messages and retries as a shop makes them, in one flow of so many spans. Prints one JSON object: the
smallest of several rounds, in CPU milliseconds, of building the graph, walking the path, finding the slack, and of
counting everything anew under a supposition; and what an empty loop of a million rounds costs on this machine now.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

# pytest puts the tests' helpers on the path; a benchmark is run without it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from headwater_analysis.critical_path.graph import Graph  # noqa: E402
from headwater_analysis.critical_path.lanes import Delivery, lanes  # noqa: E402
from headwater_analysis.critical_path.recompute import Recomputation  # noqa: E402
from headwater_analysis.critical_path.slack import off_path  # noqa: E402
from headwater_analysis.critical_path.walk import path  # noqa: E402
from headwater_analysis.critical_path.what_if import parse  # noqa: E402
from path_stories import Story  # noqa: E402


def a_shop_flow(spans: int, seed: int = 5) -> Story:
    """Handlings of eight spans that each send two messages on, one after another, as a tree."""
    dice = random.Random(seed)
    story = Story().work("root", 0, 50).send("s0", 1, 5, "root")
    waiting = [("s0", 5.0)]
    number = 0
    while len(story.spans) < spans:
        sent, ready = waiting.pop(0)
        number += 1
        start = ready + dice.expovariate(0.02)
        story.process(f"p{number}", start, start + 40, sent, ready=ready, offset=number)
        for call in range(5):
            story.work(f"c{number}.{call}", start + 1 + call * 5, start + 5 + call * 5, f"p{number}")
        for send in ("a", "b"):
            story.send(f"s{number}{send}", start + 30, start + 33, f"p{number}")
            waiting.append((f"s{number}{send}", start + 33))
    return story


def cpu_ms(work: Callable[[], object], rounds: int) -> float:
    """The smallest of so many rounds."""
    best = float("inf")
    for _ in range(rounds):
        begun = time.process_time()
        work()
        best = min(best, time.process_time() - begun)
    return round(best * 1000, 1)


def loop() -> None:
    """A yardstick: what this machine does just now."""
    for _ in range(1_000_000):
        pass


def main() -> None:
    """Prints the measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    story = a_shop_flow(options.spans)
    graph: Graph = story.graph()
    segments = path(graph)
    rows = lanes(
        Delivery("t", hop.span_id, "c", hop.topic, 0, "g", hop.started_ns, hop.started_ns, hop.ended_ns)
        for hop in story.hops
    )
    ready = Recomputation([graph], rows)
    factors = parse("work x0.5")
    measured = {
        "spans": len(story.spans),
        "segments": len(segments),
        "graph_ms": cpu_ms(story.graph, options.rounds),
        "walk_ms": cpu_ms(lambda: path(graph), options.rounds),
        "slack_ms": cpu_ms(lambda: off_path(graph, segments), options.rounds),
        "what_if_first_ms": cpu_ms(lambda: Recomputation([graph], rows), options.rounds),
        "what_if_again_ms": cpu_ms(lambda: ready.under(factors), options.rounds),
        "million_loops_ms": cpu_ms(loop, options.rounds),
    }
    sys.stdout.write(json.dumps(measured) + "\n")


if __name__ == "__main__":
    main()
