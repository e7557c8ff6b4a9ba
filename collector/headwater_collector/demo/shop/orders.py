"""Orders, and which of them go wrong: the same ones for the same seed, so that every run can be told again."""

import random
from typing import Any

POISONS = ("missing_amount", "unknown_currency", "bad_address")
"""Kinds of messages that no retry mends."""
POISON_EVERY = 23
TIMEOUT_EVERY = 13
HOPELESS_EVERY = 60
"""Of the orders whose gateway times out, those for which it does so each time."""

ORDER_PARTITIONS = 6
SLOW_PARTITION = 2
SLOW_PHASE_SECONDS, RELIEF_SECONDS = 75.0, 60.0
"""The slow partition is slow for a while, and then has time to catch up."""
SLOWEST_SECONDS = 3.0


def slow_seconds(partition: int, since_start: float, rate: float) -> float:
    """How much longer an order takes there and then: more than the partition has time for, at most 3 s."""
    if (
        partition != SLOW_PARTITION
        or since_start % (SLOW_PHASE_SECONDS + RELIEF_SECONDS) > SLOW_PHASE_SECONDS
    ):
        return 0.0
    return min(SLOWEST_SECONDS, 1.8 * ORDER_PARTITIONS / max(rate, 0.01))


def _draw(seed: int, number: int, what: str) -> random.Random:
    return random.Random(f"{seed}:{number}:{what}")


def poison_of(seed: int, number: int) -> str | None:
    """Which poison order ``number`` is, if it is one."""
    draw = _draw(seed, number, "poison")
    return draw.choice(POISONS) if draw.randrange(POISON_EVERY) == 0 else None


def timeouts_of(seed: int, number: int) -> int:
    """How many attempts at paying order ``number`` time out at the gateway."""
    draw = _draw(seed, number, "timeouts")
    if draw.randrange(HOPELESS_EVERY) == 0:
        return 99
    return draw.randint(1, 2) if draw.randrange(TIMEOUT_EVERY) == 0 else 0


def order(seed: int, number: int, poison: bool) -> dict[str, Any]:
    """The order's message; ``poison`` lets the poisoned ones be so."""
    draw = _draw(seed, number, "order")
    message: dict[str, Any] = {
        "order": number,
        "customer": f"customer-{draw.randrange(40):02d}",
        "amount": draw.randrange(500, 25_000) / 100,
        "currency": draw.choice(("EUR", "USD", "GBP")),
        "address": f"{draw.randrange(1, 99)} Mill Lane",
        "items": draw.randrange(1, 6),
    }
    kind = poison_of(seed, number) if poison else None
    if kind == "missing_amount":
        message["amount"] = None
    elif kind == "unknown_currency":
        message["currency"] = f"X{draw.randrange(10)}"
    elif kind == "bad_address":
        message["address"] = ""
    return message
