"""How well a ledger tells what became of each message, state by state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ledger_shop import Pair, Truth


@dataclass(frozen=True)
class Score:
    """How well one state is told."""

    state: str
    true: int
    claimed: int
    right: int

    @property
    def precision(self) -> float:
        """Right by claimed; 1 where nothing was claimed."""
        return self.right / self.claimed if self.claimed else 1.0

    @property
    def recall(self) -> float:
        """Right by true; 1 where there was nothing to find."""
        return self.right / self.true if self.true else 1.0


def score(truth: Mapping[Pair, Truth], claimed: Mapping[Pair, str | None]) -> list[Score]:
    """A score a state, NULL written as unknown."""
    true = Counter(one.state for one in truth.values())
    said = Counter(state or "unknown" for state in claimed.values())
    right = Counter(
        state
        for pair, state in claimed.items()
        if state is not None and pair in truth and truth[pair].state == state
    )
    return [Score(state, true[state], said[state], right[state]) for state in sorted(true | said)]
