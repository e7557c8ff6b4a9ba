"""The fast path: many requests a call, compiled code for the spans it takes, the protobuf path for the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from headwater_collector.receivers.columns import FAR_PAST_NS, BatchBuilder
from headwater_collector.receivers.interned import Resource, Scope
from headwater_collector.receivers.otlp_decode import Decoder, Kind, RawRequest
from headwater_collector.records import RequestSeen, SpanBatch

from . import rows, tables
from .memory import PADDING, Bytes, Ints
from .recent import new_recent
from .recent import seen as id_seen
from .spans import DONE, FULL, scan
from .wire import frame_all

PIECE_BYTES = 2 << 20
"""Some eight requests of 512 spans a call: enough to make the call cheap, few enough to stay in the cache."""
_KNOWN = 5_000
"""Resources and scopes remembered by their bytes: more than a machine's services have, and a bound."""
_KNOWN_BYTES = 16 * 1024
_LATEST_NS = 2**62
_NO_SPANS, _NO_GROUPS = np.zeros((0, 4), np.int64), np.zeros((0, 8), np.int64)
_NOT_READ = Resource(0, "", b"", ""), Scope(0, "", "", b"")


class _SpanIds:
    """The compiled memory of span ids, for the protobuf path."""

    def __init__(self) -> None:
        self.recent = new_recent()

    def seen(self, span: str) -> bool:
        return bool(
            id_seen(self.recent.ctypes.data, int.from_bytes(bytes.fromhex(span), "little", signed=True))
        )


class FastDecoder:
    """Gives what `Decoder` gives, spans in another order. For one thread."""

    name = "fast"

    def __init__(self) -> None:
        self._ids = _SpanIds()
        self._protobuf = Decoder(self._ids)
        self._space = rows.Space()
        self._resources: dict[tuple[bytes, bytes], Resource] = {}
        self._scopes: dict[bytes, Scope] = {}

    def decode(
        self, requests: Sequence[RawRequest], seen: Sequence[RequestSeen] = ()
    ) -> tuple[SpanBatch, Counter[str]]:
        """Columns of all requests, and what had to be repaired in them, counted by a word."""
        batch = _Batch(self, self._protobuf.begin())
        piece: list[RawRequest] = []
        size = 0
        for request in requests:
            if (
                request.kind in (Kind.HTTP_PROTOBUF, Kind.GRPC_PROTOBUF)
                and FAR_PAST_NS < request.received_at_ns < _LATEST_NS
            ):
                piece.append(request)
                size += len(request.body)
                if size < PIECE_BYTES:
                    continue
                batch.read(piece)
            else:
                batch.read(piece)
                self._protobuf.read(batch.builder, request)
            piece, size = [], 0
        batch.read(piece)
        return batch.finish(seen)

    def resource(self, raw: bytes, schema_url: bytes) -> Resource:
        """Of its bytes, remembered unless something in them is repaired: that is counted each time."""
        known = self._resources.get((raw, schema_url))
        if known is None:
            counted = self._protobuf.repaired
            known = self._protobuf.resource(raw, schema_url)
            if self._protobuf.repaired == counted and len(raw) < _KNOWN_BYTES:
                if len(self._resources) >= _KNOWN:
                    self._resources.clear()
                self._resources[raw, schema_url] = known
        return known

    def scope(self, raw: bytes) -> Scope:
        """Likewise."""
        known = self._scopes.get(raw)
        if known is None:
            counted = self._protobuf.repaired
            known = self._protobuf.scope(raw)
            if self._protobuf.repaired == counted and len(raw) < _KNOWN_BYTES:
                if len(self._scopes) >= _KNOWN:
                    self._scopes.clear()
                self._scopes[raw] = known
        return known

    def count(self, body: bytes) -> int | None:
        """`count_spans`, for who has the decoder only."""
        return count_spans(body)

    def adopt(self, span_ids: Iterable[str]) -> None:
        """Remember the span ids that another decoder has seen."""
        for span in span_ids:
            self._ids.seen(span)

    def forget(self) -> None:
        """Forget the span ids: those of a batch that was not stored come again."""
        self._ids.recent = new_recent()


class Joined:
    """Requests one after the other, so that one call reads all of them."""

    def __init__(self, bodies: Sequence[bytes]) -> None:
        self._bytes = b"".join([*bodies, bytes(PADDING)])
        self.array: Bytes = np.frombuffer(self._bytes, np.uint8)

    def part(self, start: int, end: int) -> bytes:
        """The bytes between two addresses; none where the start is negative."""
        first = self.array.ctypes.data
        return self._bytes[start - first : end - first] if start >= 0 else b""


class _Batch:
    """One call of `decode`: what has been read, and the rows that are being filled."""

    def __init__(self, decoder: FastDecoder, builder: BatchBuilder) -> None:
        self.builder = builder
        self._of = decoder
        self._groups: list[tuple[Resource, Scope]] = []
        self._tables: list[tuple[pa.Table, pa.Table, pa.Table]] = []
        decoder._space.empty()

    def read(self, requests: Sequence[RawRequest]) -> None:
        """Add requests in protobuf."""
        if not requests:
            return
        joined = Joined([request.body for request in requests])
        plain, spans, groups = _framed(joined.array, [len(request.body) for request in requests])
        received = np.array([request.received_at_ns for request in requests], np.int64)
        first_group, first = len(self._groups), 0
        spans[:, 2] += first_group
        group_ends = np.searchsorted(groups[:, 0], np.arange(len(requests)), "right").tolist()
        span_ends = np.searchsorted(spans[:, 3], np.arange(len(requests)), "right").tolist()
        named = groups.tolist()
        last_group = last = 0
        for number, request in enumerate(requests):
            before, last_group = last_group, group_ends[number]
            last_span, last = last, span_ends[number]
            self.builder.begin_request(request.received_at_ns, Kind(request.kind).door)
            if plain[number] and self._intern(joined, named[before:last_group]):
                continue
            self._scan(joined, spans[first:last_span], received, requests)
            first = last
            self._of._protobuf.read(self.builder, request)
        self._scan(joined, spans[first:], received, requests)

    def _intern(self, joined: Joined, groups: Sequence[Sequence[int]]) -> bool:
        """Note the resources and scopes of a request; False where one of them is malformed."""
        decoder, builder = self._of, self.builder
        counted = decoder._protobuf.repaired
        resource, scope = _NOT_READ
        found: list[tuple[Resource, Scope]] = []
        try:
            for _, start, end, url_start, url_end, scope_start, scope_end, is_first in groups:
                if is_first:
                    url = joined.part(url_start, url_end)
                    resource = decoder.resource(joined.part(start, end), url)
                if scope_start >= -1:
                    scope = decoder.scope(joined.part(scope_start, scope_end))
                found.append((resource, scope))
        except DecodeError:
            decoder._protobuf.repaired = counted
            self._groups.extend([_NOT_READ] * len(groups))
            return False
        for (resource, scope), group in zip(found, groups, strict=True):
            builder.resource(resource)
            if group[5] >= -1:
                builder.scope(scope)
        self._groups.extend(found)
        return True

    def _scan(
        self,
        joined: Joined,
        spans: Ints,
        received: Ints,
        requests: Sequence[RawRequest],
    ) -> None:
        """Read spans, those that are not taken by the protobuf path, in order: each remembers its id."""
        of = self._of
        at = 0
        while at < len(spans):
            at, why = scan(spans, at, received, of._space.address, of._ids.recent.ctypes.data)
            if why == FULL:
                self._flush()
            elif why != DONE:
                start, end, group, number = spans[at].tolist()
                request = requests[number]
                self.builder.begin_request(request.received_at_ns, Kind(request.kind).door)
                resource, scope = self._groups[group]
                of._protobuf.read_span(self.builder, resource, scope, joined.part(start, end))
                at += 1

    def _flush(self) -> None:
        of = self._of
        filled, events, links = (rows.Filled(of._space, t) for t in (rows.SPANS, rows.EVENTS, rows.LINKS))
        if filled.count:
            resources = np.array([resource.id for resource, _ in self._groups], np.uint64)
            scopes = np.array([scope.id for _, scope in self._groups], np.uint64)
            services = [resource.service for resource, _ in self._groups]
            spans = tables.span_table(filled, services, resources, scopes)
            self._tables.append((spans, tables.link_table(links, spans), tables.event_table(events, spans)))
        of._space.empty()

    def finish(self, seen: Sequence[RequestSeen]) -> tuple[SpanBatch, Counter[str]]:
        """Everything read, as columns."""
        self._flush()
        batch, repairs = self._of._protobuf.finish(self.builder, seen)
        spans, links, events = zip((batch.spans, batch.links, batch.events), *self._tables, strict=True)
        whole = replace(
            batch,
            spans=pa.concat_tables(spans),
            links=pa.concat_tables(links),
            events=pa.concat_tables(events),
        )
        return whole, repairs


def _framed(buf: Bytes, sizes: Sequence[int]) -> tuple[list[bool], Ints, Ints]:
    """(which requests are plain, their spans, their groups) of joined requests."""
    ends = np.cumsum(np.array(sizes, np.int64))
    plain, at = np.zeros(len(sizes), np.uint8), np.zeros(2, np.int64)
    frame_all(buf, ends, _NO_SPANS, _NO_GROUPS, at, plain)
    spans, groups = np.empty((at[0], 4), np.int64), np.empty((at[1], 8), np.int64)
    at[:] = 0
    frame_all(buf, ends, spans, groups, at, plain)
    return plain.astype(bool).tolist(), spans, groups


def count_spans(body: bytes) -> int | None:
    """How many spans, or whatever lies as deep in metrics and logs, a request frames; None where it is not plain.

    From any thread: it reads the body and nothing else.
    """
    plain, at = np.zeros(1, np.uint8), np.zeros(2, np.int64)
    frame_all(np.frombuffer(body, np.uint8), np.array([len(body)]), _NO_SPANS, _NO_GROUPS, at, plain)
    return int(at[0]) if plain[0] else None


def practise(decoder: FastDecoder) -> None:
    """Use everything once, so that all of it is compiled or loaded before spans wait for it."""
    good = bytes((0x0A, 16, *range(1, 17), 0x12, 8, *range(1, 9)))
    refused = bytes((0x0A, 1, 1))
    unusual = good + bytes((0x4A, 2, 0x18, 0))
    spans = b"".join(bytes((0x12, len(span))) + span for span in (good, refused, unusual))
    scope_spans = bytes((0x12, len(spans))) + spans
    body = bytes((0x0A, len(scope_spans))) + scope_spans
    count_spans(body)
    decoder.decode([RawRequest(2 * FAR_PAST_NS, Kind.HTTP_PROTOBUF, body)])
    decoder.forget()
