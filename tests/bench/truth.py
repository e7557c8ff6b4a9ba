"""How well the ledger tells what became of messages: `python -m tests.bench.truth --orders 100000`, `make bench-truth`.

A simulated shop knows the fate of each message. Its spans go in as OTLP through the decoder, its offsets as polls;
the ledger is asked a stretch of time after another, as a screen would. First with all spans: every state must be told
exactly. Then with a share of the traces: what is claimed must be right. Prints one JSON object a state and a stretch;
the exit code is 1 where a claim is wrong or, with all spans, something is missed.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

# pytest puts the tests' helpers on the path; a benchmark is run without it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ledger_scores  # noqa: E402
import ledger_shop  # noqa: E402
import store_helpers as told  # noqa: E402
from headwater_analysis.local import LocalSource  # noqa: E402
from headwater_collector.store import Store  # noqa: E402

STRETCH_MS = 300_000.0
"""Asked for at once: what a person looks at, and below the 100,000 rows that an answer holds."""
ASKED = (
    "select topic, partition, message_offset, consumer_group, state, stuck, no_successor "
    "from ledger_between(null, null, make_timestamp_ns(?), make_timestamp_ns(?))"
)
OPEN = ("passed", None)
"""What the ledger says where it does not know."""


def measure(shop: ledger_shop.Shop, share: float) -> bool:
    """Stores that share of the traces, asks, prints the scores; whether all is as it must be."""
    with tempfile.TemporaryDirectory(prefix="headwater-truth-") as folder:
        store = Store.open(Path(folder) / "headwater.duckdb")
        began = time.perf_counter()
        ledger_shop.store(shop, store, None if share == 1 else ledger_shop.sampled(shop.spans, share))
        store.close()
        _print({"share": share, "stored_seconds": round(time.perf_counter() - began, 1)})
        claims = _ask(LocalSource(Path(folder)), shop.judged_ms, share)
    states = {pair: row[0] for pair, row in claims.items()}
    for one in ledger_scores.score(shop.truth, states):
        _print(
            {"share": share, "state": one.state, "true": one.true, "claimed": one.claimed, "right": one.right,
             "precision": round(one.precision, 6), "recall": round(one.recall, 6)}
        )  # fmt: skip
    wrong = [pair for pair, state in states.items() if state not in OPEN and state != shop.truth[pair].state]
    missed = [pair for pair, one in shop.truth.items() if states.get(pair) != one.state] if share == 1 else []
    flags = [
        pair
        for pair, (_, stuck, barren) in claims.items()
        if share == 1 and (stuck, barren) != (shop.truth[pair].stuck, shop.truth[pair].no_successor)
    ]
    _print({"share": share, "wrong_claims": len(wrong), "missed": len(missed), "wrong_flags": len(flags)})
    return not (wrong or missed or flags)


def _ask(
    source: LocalSource, until_ms: float, share: float
) -> dict[ledger_shop.Pair, tuple[str | None, bool | None, bool]]:
    found: dict[ledger_shop.Pair, tuple[str | None, bool | None, bool]] = {}
    for number in range(int(until_ms // STRETCH_MS) + 1):
        bounds = [told.at(number * STRETCH_MS), told.at((number + 1) * STRETCH_MS)]
        began = time.perf_counter()
        answer = source.query(ASKED, bounds)
        assert answer.cut is None
        found |= {row[:4]: (row[4], row[5], row[6]) for row in answer.rows}
        took = round((time.perf_counter() - began) * 1000)
        if answer.rows:
            _print({"share": share, "stretch": number, "rows": len(answer.rows), "asked_ms": took})
    source.close()
    return found


def main() -> int:
    """Measures with all spans and with a share; gives the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--share", type=float, default=0.1, help="of the traces, the second time")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    shop = ledger_shop.Simulation(given.orders, given.seed).run()
    _print({"spans": len(shop.spans), "messages_times_groups": len(shop.truth)})
    fine = [measure(shop, share) for share in (1.0, given.share)]
    _print({"peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024})
    return 0 if all(fine) else 1


def _print(found: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
