"""Which requests the embedded broker understands: aiokafka's own protocol structures, a version or a few an API."""

import struct
from typing import Any

from aiokafka.protocol import (
    admin,
    commit,
    coordination,
    fetch,
    group,
    metadata,
    offset,
    produce,
    transaction,
)

API_VERSIONS = 18
_API_VERSIONS_RANGE = (0, 2)
_UNSUPPORTED_VERSION = 35

_KINDS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (produce, tuple(f"ProduceRequest_v{version}" for version in range(3, 8))),
    (fetch, ("FetchRequest_v4",)),
    (offset, ("OffsetRequest_v1",)),
    (metadata, ("MetadataRequest_v5",)),
    (commit, ("OffsetCommitRequest_v2", "OffsetFetchRequest_v3")),
    (coordination, ("FindCoordinatorRequest_v0", "FindCoordinatorRequest_v1")),
    (group, ("JoinGroupRequest_v2", "SyncGroupRequest_v1", "HeartbeatRequest_v1", "LeaveGroupRequest_v1")),
    (transaction, ("InitProducerIdRequest_v0",)),
    (
        admin,
        (
            "ListGroupsRequest_v1",
            "DescribeGroupsRequest_v1",
            "CreateTopicsRequest_v2",
            "DeleteTopicsRequest_v1",
            "CreatePartitionsRequest_v1",
            "DescribeConfigsRequest_v1",
            "DeleteGroupsRequest_v1",
        ),
    ),
)

REQUESTS: dict[tuple[int, int], Any] = {
    (kind.API_KEY, kind.API_VERSION): kind
    for module, names in _KINDS
    for kind in (getattr(module, name) for name in names)
}
"""(API key, version) → structure."""


def api_versions_answer(version: int) -> bytes:
    """What ApiVersions is answered with: the range of versions of each API.

    A newer version is answered with UNSUPPORTED_VERSION in the form of version 0 (KIP-511), and the client asks again.
    """
    ranges = {API_VERSIONS: _API_VERSIONS_RANGE}
    for key, one in REQUESTS:
        low, high = ranges.get(key, (one, one))
        ranges[key] = (min(low, one), max(high, one))
    entries = b"".join(struct.pack(">hhh", key, low, high) for key, (low, high) in sorted(ranges.items()))
    listed = struct.pack(">i", len(ranges)) + entries
    if version > _API_VERSIONS_RANGE[1]:
        return struct.pack(">h", _UNSUPPORTED_VERSION) + listed
    return struct.pack(">h", 0) + listed + (struct.pack(">i", 0) if version >= 1 else b"")
