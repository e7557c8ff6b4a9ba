"""How many connections the doors hold at once, and how long each may take over what.

Every connection is a file descriptor, and so is every segment of the log and every file of the store: a flood
of connections must meet a refusal long before it takes the descriptors that storing needs.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass, replace

KEPT_DESCRIPTORS = 256
"""For the store, the log, Kafka clients and the interpreter; some 80 are in use at a time."""
_LEAST = 16
"""Connections of a door, however few descriptors there are."""
_WANTED = 65_536


@dataclass(frozen=True)
class ConnectionBounds:
    """What one door grants its connections."""

    most: int = 4096
    """At once; beyond, a connection is answered "try again later" and closed."""
    head_seconds: float = 10.0
    """From connecting, or from the first byte of a further request, to the end of its head: TLS and headers
    take milliseconds, and whoever drips them holds a descriptor."""
    head_bytes: int = 64 << 10
    """Request line and headers; a token and some proxies' marks take two thousand."""
    idle_seconds: float = 75.0
    """Between two requests: exporters send every few seconds and should not reconnect each time."""
    write_seconds: float = 60.0
    """For which a client may leave an answer unread before it is cut off."""


def allowed(bounds: ConnectionBounds, share: float) -> ConnectionBounds:
    """The bounds, lowered to a share of the descriptors that this process may still open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return bounds
    room = int(max(soft - KEPT_DESCRIPTORS, 0) * share)
    return replace(bounds, most=max(min(bounds.most, room), _LEAST))


def raise_descriptor_limit() -> None:
    """As many descriptors as this user may have: the usual 1,024 are a default for programs that use select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
