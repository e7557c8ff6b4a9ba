"""Bodies that come compressed: gzip and zstd, never unpacked further than what a door takes."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pyarrow as pa

from headwater_collector.errors import Malformed, TooLarge, WrongContentType

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_STEP = 1 << 20
"""Bytes unpacked at a time."""
_MEMBERS = 256
"""Each copies what follows it once more: thousands of empty ones would cost minutes."""


def unpacker(encoding: bytes) -> Callable[[bytes, int], bytes] | None:
    """How to unpack a content encoding, None where nothing is packed; raises WrongContentType."""
    if encoding in (b"", b"identity"):
        return None
    try:
        return {b"gzip": gunzip, b"x-gzip": gunzip, b"zstd": unzstd}[encoding]
    except KeyError:
        raise WrongContentType(
            f"The content encoding {encoding.decode('latin-1')[:80]} is not taken; send gzip, zstd or none."
        ) from None


def gunzip(data: bytes, most: int) -> bytes:
    """All members; raises Malformed, or TooLarge as soon as more than `most` bytes come out."""
    out: list[bytes] = []
    size = 0
    while data:
        if len(out) == _MEMBERS:
            raise Malformed(f"The body is gzip of more than {_MEMBERS} members; send it as one.")
        unpacking = zlib.decompressobj(31)
        try:
            part = unpacking.decompress(data, most - size + 1)
        except zlib.error as error:
            raise Malformed(f"The body is said to be gzip and is not: {error}.") from error
        size += len(part)
        if size > most:
            raise _too_large(most)
        if not unpacking.eof:
            raise Malformed("The body is gzip that ends too early.")
        out.append(part)
        data = unpacking.unused_data.lstrip(b"\0")
    return b"".join(out)


def unzstd(data: bytes, most: int) -> bytes:
    """All frames; raises Malformed, or TooLarge as soon as more than `most` bytes come out.

    A frame says how large a window it needs; the library refuses more than 128 MB on its own.
    """
    if not data:
        return b""
    if not data.startswith(_ZSTD_MAGIC):
        raise Malformed("The body is said to be zstd and is not.")
    out: list[bytes] = []
    size = 0
    try:
        with pa.CompressedInputStream(pa.py_buffer(data), "zstd") as stream:
            while part := stream.read(_STEP):
                size += len(part)
                if size > most:
                    raise _too_large(most)
                out.append(part)
    except (OSError, pa.ArrowException) as error:
        raise Malformed(f"The body is zstd that is damaged or ends too early: {_reason(error)}.") from error
    return out[0] if len(out) == 1 else b"".join(out)


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The request unpacks to more than the {most} bytes that are taken.")


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or ["unreadable"])[0].rstrip(".")[:120]
