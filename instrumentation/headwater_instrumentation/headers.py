"""Record headers: reading them without trusting them, and writing into a copy."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry.propagators import textmap

Headers = list[tuple[str, bytes]]

ROLE = "headwater-role"
ORIGIN_TOPIC = "headwater-origin-topic"
ORIGIN_PARTITION = "headwater-origin-partition"
ORIGIN_OFFSET = "headwater-origin-offset"
ORIGIN_GROUP = "headwater-origin-group"
ATTEMPT = "headwater-attempt"
DUE_MS = "headwater-due-ms"
ERROR_TYPE = "headwater-error-type"
ERROR_MESSAGE = "headwater-error-message"
REPLAY = "headwater-replay"
COMPENSATES = "headwater-compensates"
MARKS = (ROLE, ORIGIN_TOPIC, ORIGIN_PARTITION, ORIGIN_OFFSET, ORIGIN_GROUP, ATTEMPT, DUE_MS, ERROR_TYPE,
         ERROR_MESSAGE)  # fmt: skip

LONGEST = 8_192
"""Bytes of a header value that are looked at: the most that baggage may have."""

TRACEPARENT = "traceparent"
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")


def copied(headers: Any) -> Headers:
    """A list of our own from what the caller gave: None, a list, a tuple, a mapping or any iterable of pairs."""
    if headers is None:
        return []
    if isinstance(headers, Mapping):
        return list(headers.items())
    return list(headers)


def last(headers: Iterable[tuple[str, bytes | None]], name: str) -> str | None:
    """The last value of a header that has one, as latin-1 text; None where there is none.

    Of ``traceparent``, the last valid one.
    """
    found: str | None = None
    for key, value in headers:
        if key == name and value is not None and len(value) <= LONGEST:
            text = value if isinstance(value, str) else bytes(value).decode("latin-1")
            # Forwarders append, and what they append may be broken.
            if name != TRACEPARENT or _TRACEPARENT.fullmatch(text):
                found = text
    return found


def number(headers: Iterable[tuple[str, bytes | None]], name: str) -> int | None:
    """The last value of a header as a whole number; None where it is none."""
    text = last(headers, name)
    # 18 digits fit an attribute's 64 bits.
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 18 else None


def without(headers: Headers, names: Iterable[str]) -> Headers:
    """The headers but those of the names."""
    gone = frozenset(names)
    return [pair for pair in headers if pair[0] not in gone]


class Getter(textmap.Getter[Any]):
    """Reads headers for a propagator; the last valid value wins, since forwarders append."""

    def get(self, carrier: Any, key: str) -> list[str] | None:
        """The last value, as a list of one."""
        found = last(carrier, key)
        return None if found is None else [found]

    def keys(self, carrier: Any) -> list[str]:
        """The names of all headers."""
        return [key for key, _ in carrier]


GETTER = Getter()
