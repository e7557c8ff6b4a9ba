"""Reading protobuf by hand, compiled; every read stays before an end that has been checked.

A position of -1 means: not plain. It may be malformed, or merely unusual, such as a group; the protobuf path decides.
"""

from __future__ import annotations

import numpy as np

from .memory import Bool, Bytes, Int, Ints, byte, compiled, entry


@compiled
def varint(at: Int, end: Int) -> tuple[Int, Int]:
    """(value as a signed 64-bit integer, next position)."""
    if at >= end:
        return np.int64(0), np.int64(-1)
    last = byte(at)
    if last < 128:
        return last, at + 1
    value = last & 127
    for place in range(1, 10):
        if at + place >= end:
            break
        last = byte(at + place)
        value |= (last & 127) << (7 * place)
        if last < 128:
            if place == 9 and last > 1:
                break
            return value, at + place + 1
    return np.int64(0), np.int64(-1)


@compiled
def tag(at: Int, end: Int) -> tuple[Int, Int]:
    """(field number and wire type, next position), of field numbers from 1 to 2047."""
    if at >= end:
        return np.int64(0), np.int64(-1)
    first = byte(at)
    if first < 128:
        return first, at + 1 if first >= 8 else np.int64(-1)
    if at + 1 >= end or byte(at + 1) >= 128:
        return np.int64(0), np.int64(-1)
    both = first & 127 | byte(at + 1) << 7
    return both, at + 2 if both >= 8 else np.int64(-1)


@compiled
def part(at: Int, end: Int) -> tuple[Int, Int]:
    """(start, end) of what stands behind a length at `at`; both within `end`."""
    length, start = varint(at, end)
    if start < 0 or start - at > 4 or length > end - start:
        return np.int64(-1), np.int64(-1)
    return start, start + length


@compiled
def skip(at: Int, end: Int, wire: Int) -> Int:
    """Position behind a field's value of this wire type."""
    if wire == 0:
        return varint(at, end)[1]
    if wire == 2:
        return part(at, end)[1]
    size = 8 if wire == 1 else 4 if wire == 5 else end
    return at + size if size <= end - at else np.int64(-1)


@compiled
def fixed32(at: Int) -> Int:
    """Four bytes, little-endian; the caller has checked that they are there."""
    return byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16 | byte(at + 3) << 24


@entry
def frame_all(buf: Bytes, ends: Ints, spans: Ints, groups: Ints, at: Ints, plain: Bytes) -> None:
    """`frame` of joined requests that end at `ends`; `plain` says which are, and only they count."""
    address = np.int64(buf.ctypes.data)
    start = address
    for request in range(len(ends)):
        rows, group_rows = at[0], at[1]
        plain[request] = frame(start, address + ends[request], request, spans, groups, at)
        if not plain[request]:
            at[0], at[1] = rows, group_rows
        start = address + ends[request]


@compiled
def frame(start: Int, end: Int, request: Int, spans: Ints, groups: Ints, at: Ints) -> Bool:
    """Find the spans of one request, and the resource and scope around them; returns whether all is plain.

    `at` holds how many rows of `spans` (start, end, group, request) and of `groups` (request, then start and
    end of resource, schema URL and scope, -1 for none and -2 for no scope_spans at all, then whether it is the
    first of its resource_spans) are filled. Where the arrays have no room, rows are counted and not written, so
    that arrays without rows serve to count.
    """
    position = start
    while position < end:
        key, position = tag(position, end)
        if position < 0:
            return False
        if key != 0x0A:
            position = skip(position, end, key & 7) if key >> 3 != 1 else np.int64(-1)
            if position < 0:
                return False
            continue
        inner, position = part(position, end)
        if inner < 0 or not _resource_spans(inner, position, request, spans, groups, at):
            return False
    return True


@compiled
def _resource_spans(position: Int, end: Int, request: Int, spans: Ints, groups: Ints, at: Ints) -> Bool:
    first_group = at[1]
    resource_start = resource_end = url_start = url_end = np.int64(-1)
    while position < end:
        key, position = tag(position, end)
        if position < 0:
            return False
        if key == 0x12:
            start, position = part(position, end)
            if start < 0 or not _scope_spans(start, position, request, spans, groups, at):
                return False
        elif key == 0x0A:
            if resource_start >= 0:
                return False  # two resources are merged
            resource_start, resource_end = part(position, end)
            position = resource_end
        elif key == 0x1A:
            url_start, url_end = part(position, end)
            position = url_end
        else:
            position = skip(position, end, key & 7) if key >> 3 > 3 else np.int64(-1)
        if position < 0:
            return False
    if at[1] == first_group:
        if at[1] < len(groups):
            groups[at[1], 5] = groups[at[1], 6] = -2
        at[1] += 1
    for group in range(first_group, min(at[1], len(groups))):
        groups[group, 0] = request
        groups[group, 1], groups[group, 2] = resource_start, resource_end
        groups[group, 3], groups[group, 4] = url_start, url_end
        groups[group, 7] = group == first_group
    return True


@compiled
def _scope_spans(position: Int, end: Int, request: Int, spans: Ints, groups: Ints, at: Ints) -> Bool:
    group = at[1]
    at[1] += 1
    scope_start = scope_end = np.int64(-1)
    while position < end:
        key, position = tag(position, end)
        if position < 0:
            return False
        if key == 0x12:
            start, position = part(position, end)
            if start < 0:
                return False
            row = at[0]
            if row < len(spans):
                spans[row, 0], spans[row, 1] = start, position
                spans[row, 2], spans[row, 3] = group, request
            at[0] += 1
        elif key == 0x0A:
            if scope_start >= 0:
                return False  # two scopes are merged
            scope_start, scope_end = part(position, end)
            position = scope_end
        else:
            position = skip(position, end, key & 7) if key >> 3 > 2 else np.int64(-1)
        if position < 0:
            return False
    if group < len(groups):
        groups[group, 5], groups[group, 6] = scope_start, scope_end
    return True
