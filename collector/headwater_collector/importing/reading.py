"""Which format a file has, and its spans."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path
from typing import Any

import orjson

from headwater_analysis.errors import UsageError

from . import jaeger, otlp, table, zipkin
from .spans import Read

LARGEST = 1 << 30
"""Bytes of a file, unpacked: all of it is held at once."""
GZIP = b"\x1f\x8b"


def read(path: str) -> Read:
    """The spans of a file; ``-`` is standard input. Raises UsageError where it cannot be read as any format."""
    raw = _bytes(path)
    if not raw.strip():
        raise UsageError(f"{path} is empty.")
    found = _read(raw)
    if found is None:
        raise UsageError(
            f"{path} is neither OTLP (JSON, JSON lines or protobuf) nor JSON of Zipkin or Jaeger nor a table with "
            f"the columns {', '.join(table.NEEDED)}."
        )
    return found


def _bytes(path: str) -> bytes:
    try:
        if path == "-":
            raw = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with Path(path).open("rb") as file:
                raw = file.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    if raw.startswith(GZIP):
        unpacking = zlib.decompressobj(wbits=31)
        try:
            raw = unpacking.decompress(raw, LARGEST + 1)
        except zlib.error as error:
            raise UsageError(f"{path} is damaged gzip: {error}.") from None
        if not unpacking.eof and len(raw) <= LARGEST:
            raise UsageError(f"{path} is gzip that ends too early.")
    if len(raw) > LARGEST:
        raise UsageError(f"{path} has more than {LARGEST >> 30} GiB unpacked; give it in parts.")
    return raw


def _read(raw: bytes) -> Read | None:
    start = raw.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] in (b"{", b"["):
        return _json(start)
    first_line = start.split(b"\n", 1)[0]
    if table.is_table(first_line.decode("utf-8", "replace")):
        return table.read(start.decode("utf-8", "replace"))
    return otlp.read_protobuf(raw)


def _json(text: bytes) -> Read | None:
    try:
        return _document(orjson.loads(text))
    except orjson.JSONDecodeError:
        pass
    documents, broken = [], 0
    for line in text.splitlines():
        if line.strip():
            try:
                documents.append(orjson.loads(line))
            except orjson.JSONDecodeError:
                broken += 1
    if not documents:
        return None
    found = _document(documents)
    if found is not None and broken:
        found.skip("in a line that is no JSON", broken)
    return found


def _document(held: Any) -> Read | None:
    if isinstance(held, dict):
        if isinstance(held.get("data"), list):
            return jaeger.read(held["data"])
        held = [held]
    # Zipkin has a list of spans, or a list of traces that are lists of spans.
    flat = [one for part in held for one in (part if isinstance(part, list) else [part])]
    own = [one for one in flat if isinstance(one, dict)]
    if any(name in one for one in own for name in ("resourceSpans", "resource_spans", "batches")):
        return otlp.read(own)
    if any("traceId" in one and "id" in one for one in own):
        return zipkin.read(flat)
    return jaeger.read(own) if any("traceID" in one and "spans" in one for one in own) else None
