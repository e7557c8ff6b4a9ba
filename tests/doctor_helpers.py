"""What services send, by instrumentation, in a store of its own; and what the doctor says of it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

import builders
import store_helpers as told
from headwater_analysis import cli
from headwater_collector.receivers.otlp_decode import Decoder, Kind, RawRequest
from headwater_collector.records import LogPosition
from headwater_collector.store import Writer, append_spans
from store_helpers import open_store

OURS = "headwater_instrumentation.aiokafka"
CONTRIB = "opentelemetry.instrumentation.aiokafka"
BY_HAND = "shop"
LINE = 68
"""Room for a line to copy on a terminal of 80 columns."""
EVER = ("--last", "9999d")
NOON = datetime.fromtimestamp(told.START_NS / 1e9, UTC).replace(tzinfo=None)
WATCHED = {"cluster": "c1", "name": "prod", "bootstrap": "kafka:9092", "state": "up", "polled_at": NOON}


@dataclass(frozen=True)
class Part:
    """Spans of one service by one instrumentation, in one request."""

    service: str
    spans: Sequence[Span]
    scope: str = OURS
    resource: Mapping[str, object] = field(default_factory=dict)
    after_s: float = 0
    """When the collector receives it, in seconds into the story."""

    def request(self) -> ExportTraceServiceRequest:
        """As it goes over the wire."""
        return builders.a_request(*self.spans, service=self.service, scope=self.scope, resource=self.resource)


@dataclass(frozen=True)
class Diagnosis:
    """What the command said."""

    code: int
    findings: list[dict[str, Any]]

    @property
    def rules(self) -> set[tuple[str, str, str]]:
        """Rule, severity and who of each finding."""
        return {(one["rule"], one["severity"], one["who"]) for one in self.findings}

    def the(self, rule: str) -> dict[str, Any]:
        """The only finding of a rule."""
        (found,) = [one for one in self.findings if one["rule"] == rule]
        return found


class Patient:
    """A store that is told what happened and then examined."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = folder / "headwater.duckdb"
        self._capsys = capsys
        self._log = 0

    def tell(
        self,
        *parts: Part,
        rows: Mapping[str, Iterable[Mapping[str, object]]] | None = None,
        watched: bool = True,
    ) -> Patient:
        """Stores requests as the collector does, and rows of what it polled."""
        store = open_store(self.path)

        def polled(writer: Writer) -> None:
            said = {"cluster_rows": [WATCHED], **(rows or {})} if watched else rows or {}
            for table, some in said.items():
                writer.append(table, [dict(row) for row in some])

        store.write(polled)
        for after_s, together in itertools.groupby(parts, lambda part: part.after_s):
            raw = [
                RawRequest(told.at(after_s * 1000), Kind.HTTP_PROTOBUF, part.request().SerializeToString())
                for part in together
            ]
            self._log += 1
            batch = Decoder().decode(raw)[0]
            store.write(lambda w, b=batch: append_spans(w, b, LogPosition(1, self._log)))  # type: ignore[misc]
        store.close()
        return self

    def text(self, *words: str) -> tuple[int, str]:
        """Exit code and standard output of ``headwater doctor``."""
        code = cli.main(["doctor", "--store", str(self.path), *(words or EVER)])
        return code, self._capsys.readouterr().out

    def diagnosis(self) -> Diagnosis:
        """The same as a machine reads it."""
        code, printed = self.text("--json", *EVER)
        found = Diagnosis(code, json.loads(printed))
        assert all(one["mend"] and one["evidence"].endswith(".") for one in found.findings)
        assert all(len(line) <= LINE for one in found.findings for line in one["mend"])
        return found


def send(name: str, offset: int, topic: str = "orders", **more: Any) -> Span:
    """A send span in the trace of ``name``."""
    where: dict[str, Any] = {
        "trace_id": told.trace(name),
        "span_id": told.span(f"{name} send"),
        "start_ns": told.at(0),
    }
    return builders.a_send(topic, 0, offset, **(where | more))


def process(
    name: str, offset: int, group: str, topic: str = "orders", joined: bool = True, **more: Any
) -> Span:
    """A process span of the message that ``name`` sent: below its span, or in a trace of its own."""
    where: dict[str, Any] = {"start_ns": told.at(100), "span_id": told.span(f"{name} {group} {topic}")}
    if joined:
        where |= {"trace_id": told.trace(name), "parent": told.span(f"{name} send")}
    return builders.a_process(topic, 0, offset, group, **(where | more))


def sends(count: int = 3, **more: Any) -> list[Span]:
    """Sends of messages 0, 1, …"""
    return [send(f"m{offset}", offset, **more) for offset in range(count)]


def processes(group: str, count: int = 3, **more: Any) -> list[Span]:
    """The handling of messages 0, 1, …"""
    return [process(f"m{offset}", offset, group, **more) for offset in range(count)]


def without(spans: Iterable[Span], *attributes: str) -> list[Span]:
    """The spans without some of their attributes."""
    found = list(spans)
    for span in found:
        kept = [one for one in span.attributes if one.key not in attributes]
        del span.attributes[:]
        span.attributes.extend(kept)
    return found


def renamed(spans: Iterable[Span], **names: str) -> list[Span]:
    """The spans with other names of attributes; ``__`` stands for a dot."""
    instead = {old.replace("__", "."): new for old, new in names.items()}
    found = list(spans)
    for span in found:
        for one in span.attributes:
            one.key = instead.get(one.key, one.key)
    return found


def commits(group: str, topic: str, committed: Sequence[int]) -> list[dict[str, object]]:
    """What polls every ten seconds say of a group, a minute ago and before."""
    return [
        {"cluster": "c1", "consumer_group": group, "topic": topic, "partition": 0, "committed": number,
         "sampled_at": NOON + timedelta(seconds=10 * at)}
        for at, number in enumerate([*committed, *[committed[-1]] * 4])
    ]  # fmt: skip


def ends(topic: str, numbers: Sequence[int]) -> list[dict[str, object]]:
    """The same of a topic's end."""
    return [
        {"cluster": "c1", "topic": topic, "partition": 0, "end_offset": number,
         "sampled_at": NOON + timedelta(seconds=10 * at)}
        for at, number in enumerate([*numbers, *[numbers[-1]] * 4])
    ]  # fmt: skip


def members(group: str, client: str) -> list[dict[str, object]]:
    """Who the coordinator says is in a group."""
    assignment = [{"member": f"{client}-1", "client": client, "host": "/10.0.0.7", "partitions": []}]
    return [{"sampled_at": NOON, "cluster": "c1", "consumer_group": group, "state": "stable",
             "members": 1, "assignment": json.dumps(assignment)}]  # fmt: skip
