"""kill -9 under load, again and again: every acknowledged span is there, once."""

from __future__ import annotations

from pathlib import Path

from crash_rounds import CrashRounds

KILLS = 20


def test_after_twenty_kills_every_acknowledged_span_is_there_once(tmp_path: Path) -> None:
    with CrashRounds(tmp_path, seed=7) as crashes:
        for _ in range(KILLS):
            crashes.round()
        outcome = crashes.settle()
    assert outcome.exact, outcome
    assert outcome.acknowledged > len(crashes.restart_seconds) * 10
    assert crashes.ledger.repeated > 0
