"""A store in a directory of its own, filled through decode and append as the collector does."""

from __future__ import annotations

import functools
import hashlib
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

import builders
from headwater_analysis.critical_path.asking import path_of
from headwater_analysis.flows import load_flow
from headwater_analysis.source import Answer, Change
from headwater_collector.receivers.otlp_decode import Decoder, Kind, RawRequest
from headwater_collector.records import LogPosition, SpanBatch
from headwater_collector.store import Retention, Store, append_spans

START_NS = 1_790_000_000_000_000_000
"""When the stories told in these tests begin."""

Told = tuple[str, Span]
"""A service and a span of its."""


def trace(name: str) -> str:
    """The trace id that a name stands for."""
    return hashlib.md5(name.encode()).hexdigest()


def span(name: str) -> str:
    """The span id that a name stands for."""
    return hashlib.md5(name.encode()).hexdigest()[:16]


def at(ms: float) -> int:
    """Nanoseconds since the epoch, ``ms`` into the story."""
    return START_NS + round(ms * 1e6)


def _ids(in_trace: str, name: str, parent: str | None, start_ms: float, ms: float) -> dict[str, Any]:
    return {
        "trace_id": trace(in_trace),
        "span_id": span(name),
        "parent": span(parent) if parent else None,
        "start_ns": at(start_ms),
        "ms": ms,
    }


def work(
    service: str,
    in_trace: str,
    name: str,
    start_ms: float,
    ms: float,
    parent: str | None = None,
    called: str | None = None,
    **more: Any,
) -> Told:
    """A plain span, which may go by another name than it is known by here."""
    return service, builders.a_span(called or name, **_ids(in_trace, name, parent, start_ms, ms), **more)


def send(
    service: str,
    in_trace: str,
    name: str,
    where: tuple[str, int, int],
    start_ms: float,
    ms: float,
    parent: str | None = None,
    **more: Any,
) -> Told:
    """A send span that knows where its record went."""
    topic, partition, offset = where
    return service, builders.a_send(
        topic, partition, offset, name=name, **_ids(in_trace, name, parent, start_ms, ms), **more
    )


def process(
    service: str,
    in_trace: str,
    name: str,
    where: tuple[str, int, int],
    start_ms: float,
    ms: float,
    parent: str | None = None,
    group: str | None = None,
    **more: Any,
) -> Told:
    """A process span of one record; the group is named like the service unless told."""
    topic, partition, offset = where
    ids = _ids(in_trace, name, parent, start_ms, ms)
    return service, builders.a_process(topic, partition, offset, group or service, name=name, **ids, **more)


def batch_of(spans: Iterable[Told], received_ns: int = START_NS) -> SpanBatch:
    """What the decoder makes of one request with these spans."""
    by_service: dict[str, list[Span]] = {}
    for service, one in spans:
        by_service.setdefault(service, []).append(one)
    request = builders.a_request()
    for service, some in by_service.items():
        builders.add_to(request, *some, service=service)
    raw = RawRequest(received_ns, Kind.HTTP_PROTOBUF, request.SerializeToString())
    return Decoder().decode([raw])[0]


def fill(store: Store, *flushes: Sequence[Told]) -> None:
    """Appends each list of spans in a transaction of its own."""
    for number, spans in enumerate(flushes):
        batch = batch_of(spans, START_NS + number * 1_000_000_000)
        store.write(lambda w, b=batch, n=number: append_spans(w, b, LogPosition(1, n)))  # type: ignore[misc]


@functools.cache
def _empty() -> tuple[Path, tempfile.TemporaryDirectory[str]]:
    """An empty store and the folder that goes with this process: making one takes longer than most tests."""
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "empty.duckdb"
    Store.open(path).close()
    return path, folder


def place_empty(path: Path) -> None:
    """Puts an empty store at ``path`` where there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_empty()[0], path)


def open_store(path: Path, retention: Retention | None = None) -> Store:
    """The store at ``path``, an empty one where there is none; the caller closes it."""
    place_empty(path)
    return Store.open(path, retention=retention)


def a_store(folder: Path, *flushes: Sequence[Told]) -> Store:
    """An open store with these flushes in it; the caller closes it."""
    store = open_store(folder / "headwater.duckdb")
    fill(store, *flushes)
    return store


def rows(store: Store, sql: str, params: Sequence[object] = ()) -> list[dict[str, Any]]:
    """Rows of a question as dictionaries."""
    cursor = store.cursor()
    try:
        found = cursor.execute(sql, list(params))
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    finally:
        cursor.close()


def link(in_trace: str, name: str, where: tuple[str, int, int] | None = None) -> tuple[Any, ...]:
    """A span link, for ``links``, that names a record or not."""
    attributes: Mapping[str, object] = {}
    if where is not None:
        attributes = {
            "messaging.destination.name": where[0],
            "messaging.destination.partition.id": str(where[1]),
            "messaging.kafka.offset": where[2],
        }
    return trace(in_trace), span(name), attributes


_QUESTIONS = (
    "from flows order by flow_id",
    "from hops order by topic, partition, message_offset, consumer_group, span_id",
    "from deliveries order by topic, partition, message_offset, span_id",
    "from messages order by topic, partition, message_offset, span_id",
    "from pathways order by pathway_id",
)


class StoreSource:
    """An open store as analysis asks it."""

    label = "store"

    def __init__(self, store: Store) -> None:
        self._store = store

    def query(self, sql: str, params: Sequence[object] = ()) -> Answer:
        """The rows of a question."""
        cursor = self._store.cursor()
        try:
            found = cursor.execute(sql, list(params))
            columns = found.description or []
            names, types = tuple(one[0] for one in columns), tuple(str(one[1]) for one in columns)
            return Answer(names, types, found.fetchall())
        finally:
            cursor.close()

    def changes(self, stop: threading.Event) -> Iterator[Change]:
        """Nobody else writes to it."""
        yield from ()

    def health(self) -> dict[str, Any]:
        """Nothing is said."""
        return {}

    def close(self) -> None:
        """Whoever opened the store closes it."""


def answers(store: Store) -> list[Any]:
    """Everything that is kept ready and what is counted from it, for comparing two stores."""
    source = StoreSource(store)
    found: list[Any] = [rows(store, question) for question in _QUESTIONS]
    for (span_id,) in store.read("select span_id from spans order by span_id"):
        found.append((span_id, store.read("from flow_of(?)", [span_id])))
    for (flow_id,) in store.read("select flow_id from flows order by flow_id"):
        detail = load_flow(source, flow_id)
        found += [detail.spans, sorted(detail.edges, key=str), sorted(detail.hops, key=str)]
        found.append(path_of(source, detail))
        found.append(store.read("from flow_runs(?) order by all", [flow_id]))
    return found
