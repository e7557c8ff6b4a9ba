"""``headwater-ctx``: who the event is, how far it has come and by which way.

``1;<event id, 16 hex>;<hop>;<root time, base 36 ms>;<pathway so far, 16 hex>``. It survives where spans are sampled
out, and frameworks that copy headers keep it.
"""

import functools
import hashlib
import random
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from . import headers as hdr

NAME = "headwater-ctx"
OWN = frozenset({NAME, "traceparent"})
"""Headers of a message that is no retry, no dead letter and carries no baggage."""
LONGEST = 80
START = "0" * 16
"""Pathway before the first hop."""
_FORM = re.compile(r"1;([0-9a-f]{16});([0-9]{1,6});([0-9a-z]{1,10});([0-9a-f]{16})")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]
_TWO_DIGITS, _FOUR_DIGITS = 36**2, 36**4


class Lineage(NamedTuple):
    """What the header says."""

    event_id: str
    hop: int
    """Sends so far, this one included."""
    root_ms: int
    """When the first event was sent, milliseconds since the epoch."""
    pathway: str
    """Prefix id of the way up to and including the send."""


def written(event_id: str, hop: int, root_ms: int, pathway: str) -> str:
    """The value of the header."""
    return f"1;{event_id};{hop};{base36(root_ms)};{pathway}"


def match(text: str | None) -> re.Match[str] | None:
    """A header's value taken apart, the event's id first; None for anything that is not exactly of its form."""
    return _FORM.fullmatch(text) if text is not None and len(text) <= LONGEST else None


def lineage(found: re.Match[str] | None) -> Lineage | None:
    """What a value that was taken apart says."""
    if found is None:
        return None
    event_id, hop, root, pathway = found.groups()
    return Lineage(event_id, int(hop), int(root, 36), pathway)


def parse(text: str | None) -> Lineage | None:
    """What a header's value says; None for anything that is not exactly of its form."""
    return lineage(match(text))


@functools.lru_cache(maxsize=4096)
def prefix(before: str, service: str, operation: str, direction: str, topic: str, group: str) -> str:
    """The prefix id of a hop: the first 8 bytes, in hex, of md5 over the prefix before and the hop's names.

    All six are joined by 0x1f, so a database can compute the same:
    ``left(md5(concat_ws(chr(31), before, service, operation, direction, topic, group)), 16)``.
    """
    joined = "\x1f".join((before, service, operation, direction, topic, group))
    return hashlib.md5(joined.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()[:16]


def stated_event_id(headers: Any, said_in: Iterable[str]) -> str | None:
    """The id that the service itself gave its event in a header; None where it gave none."""
    text = next((text for name in said_in if (text := hdr.last(headers, name))), None)
    if not text:
        return None
    if len(text) == 16 and all(digit in "0123456789abcdef" for digit in text):
        return text
    # Of any other form 16 digits are made, always the same.
    return prefix(START, text, "", "", "", "")


def new_event_id() -> str:
    """16 hex digits that nobody else draws; no secret, so from the generator that span ids come from."""
    return random.getrandbits(64).to_bytes(8, "big").hex()


@functools.lru_cache(maxsize=256)
def base36(number: int) -> str:
    """A whole number in base 36, lower case."""
    high, low = divmod(number, _FOUR_DIGITS)
    if not high:
        return _digits(number)
    first, second = divmod(low, _TWO_DIGITS)
    # Of a time in milliseconds the high digits stay for half an hour.
    return _digits(high) + _PAIRS[first] + _PAIRS[second]


@functools.lru_cache(maxsize=64)
def _digits(number: int) -> str:
    digits = ""
    while number >= 36:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return _DIGITS[number] + digits
