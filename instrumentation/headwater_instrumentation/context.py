"""``headwater-ctx``: who the event is, how far it has come and by which way.

``1;<event id, 16 hex>;<hop>;<root time, base 36 ms>;<pathway so far, 16 hex>``. It survives where spans are sampled
out, and frameworks that copy headers keep it.
"""

import functools
import hashlib
import secrets
from dataclasses import dataclass

NAME = "headwater-ctx"
LONGEST = 80
START = "0" * 16
"""Pathway before the first hop."""
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Lineage:
    """What the header says."""

    event_id: str
    hop: int
    """Sends so far, this one included."""
    root_ms: int
    """When the first event was sent, milliseconds since the epoch."""
    pathway: str
    """Prefix id of the way up to and including the send."""

    def text(self) -> str:
        """The header's value."""
        return f"1;{self.event_id};{self.hop};{base36(self.root_ms)};{self.pathway}"


def parse(text: str | None) -> Lineage | None:
    """What a header's value says; None for anything that is not exactly of its form."""
    if text is None or len(text) > LONGEST:
        return None
    parts = text.split(";")
    if len(parts) != 5 or parts[0] != "1" or not _hex16(parts[1]) or not _hex16(parts[4]):
        return None
    if not (parts[2].isascii() and parts[2].isdigit() and len(parts[2]) <= 6):
        return None
    if not 0 < len(parts[3]) <= 10 or not all(digit in _DIGITS for digit in parts[3]):
        return None
    return Lineage(parts[1], int(parts[2]), int(parts[3], 36), parts[4])


@functools.lru_cache(maxsize=4096)
def prefix(before: str, service: str, operation: str, direction: str, topic: str, group: str) -> str:
    """The prefix id of a hop: the first 8 bytes, in hex, of md5 over the prefix before and the hop's names.

    All six are joined by 0x1f, so a database can compute the same:
    ``left(md5(concat_ws(chr(31), before, service, operation, direction, topic, group)), 16)``.
    """
    joined = "\x1f".join((before, service, operation, direction, topic, group))
    return hashlib.md5(joined.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()[:16]


def new_event_id() -> str:
    """16 hex digits that nobody else draws."""
    return secrets.token_hex(8)


def base36(number: int) -> str:
    """A whole number in base 36, lower case."""
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return digits or "0"


def _hex16(text: str) -> bool:
    return len(text) == 16 and all(digit in "0123456789abcdef" for digit in text)
