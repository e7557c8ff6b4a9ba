"""What can go wrong while receiving; the tree, drawn:

HeadwaterError (analysis)
├── UsageError                 a setting that cannot be used
├── Unavailable                something needed is missing or taken
│   └── PortInUse
├── Refused                    a request that is answered and not kept; carries HTTP and gRPC status
│   ├── Malformed              400 / INVALID_ARGUMENT: never worth a retry
│   ├── WrongContentType       415
│   ├── TooLarge               413 / RESOURCE_EXHAUSTED
│   ├── NotAllowed             401 / UNAUTHENTICATED
│   ├── WrongRole              403 / PERMISSION_DENIED
│   └── TryLater               503 / UNAVAILABLE with a delay: nothing was kept, send it again
│       └── TooSlow            likewise, and the connection is closed
├── LogBroken                  the log directory cannot be used at start
├── StoreGone                  the store's file was removed or replaced under the collector
└── TokensBroken               the token file cannot be read, or by too many
"""

from __future__ import annotations

from headwater_analysis.errors import HeadwaterError, Unavailable

# google.rpc.Code
INVALID_ARGUMENT = 3
PERMISSION_DENIED = 7
RESOURCE_EXHAUSTED = 8
INTERNAL = 13
UNAVAILABLE = 14
UNAUTHENTICATED = 16


class PortInUse(Unavailable):
    """A door's address is taken by another process."""

    def __init__(self, address: str, option: str) -> None:
        super().__init__(
            f"{address} is in use by another process; give another address with {option} HOST:PORT "
            f"(port 0 takes a free one), or stop what listens there."
        )


class Refused(HeadwaterError):
    """A request that is answered with an error and leaves nothing behind."""

    http_status = 400
    code = INVALID_ARGUMENT
    """google.rpc.Code"""
    retry_seconds: int | None = None
    """When to send the same again; None where that would not help."""


class Malformed(Refused):
    """The bytes are no OTLP."""


class WrongContentType(Refused):
    """A content type or encoding that this door does not read."""

    http_status = 415


class TooLarge(Refused):
    """More bytes than the door takes in one request."""

    http_status = 413
    code = RESOURCE_EXHAUSTED


class NotAllowed(Refused):
    """No token, or a wrong one."""

    http_status = 401
    code = UNAUTHENTICATED


class WrongRole(Refused):
    """A token that is good for something else."""

    http_status = 403
    code = PERMISSION_DENIED


class TryLater(Refused):
    """The collector cannot keep the request now."""

    http_status = 503
    code = UNAVAILABLE

    def __init__(self, message: str, retry_seconds: int = 5) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class TooSlow(TryLater):
    """The request did not arrive within its time."""


class LogBroken(HeadwaterError):
    """The log directory cannot be read or written at start."""


class StoreGone(HeadwaterError):
    """The store's file was removed or replaced while it is open."""


class TokensBroken(HeadwaterError):
    """The token file is none, or can be read by others than its owner."""

    exit_code = 3
