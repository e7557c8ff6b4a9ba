"""kill -9 under load: `python -m tests.bench.crash`, or `make bench-crash`.

Starts a real `headwater serve` on one store again and again, sends to both doors (10 and 512 spans a request,
each repeated until its acknowledgement is there), and kills it at random moments, its own start included. Then
every acknowledged span must be stored once. Prints one JSON object; exit code 1 when a span is lost or doubled.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

# pytest puts the tests' helpers on the path; a benchmark is run without it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from crash_rounds import CrashRounds, Outcome  # noqa: E402


def crash(data: Path, rounds: int, seed: int) -> Outcome:
    """All rounds on one store; prints what came of them."""
    began = time.monotonic()
    with CrashRounds(data, seed) as crashes:
        for number in range(1, rounds + 1):
            crashes.round()
            sys.stderr.write(f"\rround {number} of {rounds}, {crashes.ledger.spans:,} spans acknowledged")
            sys.stderr.flush()
        sys.stderr.write("\n")
        outcome = crashes.settle()
    restarts = crashes.restart_seconds
    found = {
        "rounds": rounds,
        "killed_while_starting": rounds - len(restarts),
        "requests": len(crashes.ledger.requests),
        "repeated_requests": crashes.ledger.repeated,
        **asdict(outcome),
        "restart_p50_seconds": round(statistics.median(restarts), 2) if restarts else None,
        "restart_max_seconds": round(max(restarts), 2) if restarts else None,
        "megabytes": (data / "headwater.duckdb").stat().st_size >> 20,
        "seconds": round(time.monotonic() - began),
        "seed": seed,
    }
    sys.stdout.write(json.dumps(found) + "\n")
    return outcome


def main() -> int:
    """`python -m tests.bench.crash`"""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, help="for the same moments and sizes again; random without")
    parser.add_argument("--data", type=Path, help="an empty folder for the store, which then stays")
    given = parser.parse_args()
    seed = random.randrange(10**6) if given.seed is None else given.seed
    if given.data is not None:
        return 0 if crash(given.data, given.rounds, seed).exact else 1
    with tempfile.TemporaryDirectory(prefix="headwater-crash-") as directory:
        return 0 if crash(Path(directory), given.rounds, seed).exact else 1


if __name__ == "__main__":
    sys.exit(main())
