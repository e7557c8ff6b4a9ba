"""Bytes in, columns out: both encodings alike, and each bad part costing only itself."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import orjson
import pyarrow as pa
import pytest
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from builders import a_process, a_request, a_send, a_span, a_span_id, a_trace_id, add_to, attributes_of
from headwater_collector.receivers.otlp_decode import Decoder, Kind, RawRequest
from headwater_collector.records import SpanBatch

HOUR = 3600 * 10**9


def decode(*bodies: bytes, kind: Kind = Kind.HTTP_PROTOBUF) -> SpanBatch:
    return Decoder().decode([RawRequest(time.time_ns(), kind, body) for body in bodies])[0]


def rows(table: pa.Table) -> list[dict[str, Any]]:
    plain = [
        column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in table.columns
    ]
    return pa.Table.from_arrays(plain, table.column_names).to_pylist()  # type: ignore[no-any-return]


def one(request: ExportTraceServiceRequest) -> dict[str, Any]:
    (row,) = rows(decode(request.SerializeToString()).spans)
    return row


def as_json(request: ExportTraceServiceRequest) -> bytes:
    """OTLP/JSON: protobuf's JSON with ids in hex."""

    def hexed(value: Any) -> Any:
        import base64

        if isinstance(value, dict):
            return {
                key: base64.b64decode(item).hex()
                if key in ("traceId", "spanId", "parentSpanId")
                else hexed(item)
                for key, item in value.items()
            }
        return [hexed(item) for item in value] if isinstance(value, list) else value

    return orjson.dumps(hexed(MessageToDict(request, use_integers_for_enums=True)))


def a_full_request() -> ExportTraceServiceRequest:
    """Every field of OTLP that has a column, and every shape of value."""
    span = a_process(
        "orders",
        3,
        2**40,
        "billing",
        parent=a_span_id(),
        error="refused",
        links=[
            (a_trace_id(), a_span_id(), {"messaging.destination.name": "x", "messaging.kafka.offset": 7}),
            (a_trace_id(), a_span_id()),
        ],
        events=[("exception", {"exception.type": "ValueError"}), ("note", {})],
        attributes={
            "headwater.event.id": "e-1",
            "text": 'ä\u0000"\\ \U0001f600',
            "long": "x" * 1000,
            "whole": -(2**63),
            "large": 2**63 - 1,
            "small": -1,
            "zero": 0,
            "empty": "",
            "double": 0.1,
            "nan": math.nan,
            "inf": -math.inf,
            "yes": True,
            "no": False,
            "bytes": b"\x00\xff",
            "none": None,
            "list": [1, "two", None, [3.5]],
            "map": {"a": {"b": [True]}},
        },
    )
    span.trace_state = "vendor=1"
    span.flags = 0x101
    span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count = 1, 2, 3
    span.links[0].trace_state = "l=1"
    span.links[0].flags = 1
    request = a_request(span, service="billing", resource={"host.name": "h"})
    request.resource_spans[0].schema_url = "https://example.com/1"
    request.resource_spans[0].scope_spans[0].scope.version = "2"
    add_to(request, a_span(kind="server"), a_send("payments", 0, 0), service="gateway")
    return request


def test_every_field_has_its_column() -> None:
    request = a_full_request()
    batch = decode(request.SerializeToString())
    span = request.resource_spans[0].scope_spans[0].spans[0]
    row = rows(batch.spans)[0]
    attributes = json.loads(row.pop("attributes"))
    assert attributes["text"] == 'ä\u0000"\\ \U0001f600'
    assert attributes["long"] == "x" * 1000
    assert (attributes["whole"], attributes["large"], attributes["small"], attributes["zero"]) == (
        -(2**63),
        2**63 - 1,
        -1,
        0,
    )
    assert (attributes["double"], attributes["nan"], attributes["inf"]) == (0.1, "NaN", "-Infinity")
    assert (attributes["yes"], attributes["no"], attributes["none"]) == (True, False, None)
    assert (attributes["bytes"], attributes["empty"]) == ("AP8=", "")
    assert attributes["list"] == [1, "two", None, [3.5]]
    assert attributes["map"] == {"a": {"b": [True]}}
    received, resource_id, scope_id = (row.pop(name) for name in ("received_at", "resource_id", "scope_id"))
    assert abs(received - time.time_ns()) < 60 * 10**9
    assert row == {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex(),
        "trace_state": "vendor=1",
        "flags": 0x101,
        "service": "billing",
        "name": "process orders",
        "kind": "consumer",
        "started_at": span.start_time_unix_nano,
        "ended_at": span.end_time_unix_nano,
        "status": "error",
        "status_message": "refused",
        "error_type": "ValueError",
        "dropped_attributes": 1,
        "dropped_events": 2,
        "dropped_links": 3,
        "cluster": "c1",
        "topic": "orders",
        "partition": 3,
        "message_offset": 2**40,
        "consumer_group": "billing",
        "operation": "process",
        "event_id": "e-1",
        "marks": None,
    }
    first, second = rows(batch.links)
    assert (first["position"], first["linked_trace_id"]) == (0, span.links[0].trace_id.hex())
    assert (first["trace_state"], first["flags"], first["topic"], first["message_offset"]) == (
        "l=1",
        1,
        "x",
        7,
    )
    assert (second["position"], second["attributes"], second["topic"]) == (1, "{}", None)
    assert [(event["position"], event["name"]) for event in rows(batch.events)] == [
        (0, "exception"),
        (1, "note"),
    ]
    resources = {row["resource_id"]: row for row in rows(batch.resources)}
    assert resources[resource_id]["service"] == "billing"
    assert resources[resource_id]["schema_url"] == "https://example.com/1"
    assert json.loads(resources[resource_id]["attributes"])["host.name"] == "h"
    assert {row["scope_id"]: row["version"] for row in rows(batch.scopes)}[scope_id] == "2"


def test_both_encodings_make_the_same_rows() -> None:
    request = a_full_request()
    proto, text = decode(request.SerializeToString()), decode(as_json(request), kind=Kind.HTTP_JSON)
    for table in ("spans", "links", "events", "resources", "scopes"):
        pairs = zip(rows(getattr(proto, table)), rows(getattr(text, table)), strict=True)
        for one_row, other in pairs:
            for row in (one_row, other):
                row.pop("received_at", None)
                row.pop("first_seen", None)
                row["attributes"] = (
                    {**json.loads(row["attributes"]), "map": None} if "attributes" in row else 0
                )
            assert one_row == other


def test_ids_of_resources_depend_on_content_alone() -> None:
    forth = a_request(a_span(), resource={"a": 1, "b": "x"})
    back = a_request(a_span(), resource={"b": "x", "a": 1})
    batch = decode(forth.SerializeToString(), back.SerializeToString())
    assert batch.resources.num_rows == 1
    assert decode(forth.SerializeToString()).resources["resource_id"] == batch.resources["resource_id"]


@pytest.mark.parametrize(
    ("given", "columns"),
    [
        (
            {"messaging.operation": "publish", "messaging.destination.name": "t"},
            {"operation": "send", "topic": "t"},
        ),
        ({"messaging.operation.type": "receive"}, {"operation": "receive"}),
        ({"messaging.kafka.message.offset": "12"}, {"message_offset": 12}),
        ({"kafka.offset": 12, "kafka.cluster.id": "k1"}, {"message_offset": 12, "cluster": "k1"}),
        ({"messaging.kafka.offset": -1}, {"message_offset": None}),
        ({"messaging.kafka.partition": 4}, {"partition": 4}),
        ({"messaging.kafka.destination.partition": 4}, {"partition": 4}),
        ({"messaging.destination.partition.id": "none"}, {"partition": None}),
        ({"messaging.destination.partition.id": 2**31}, {"partition": None}),
        ({"messaging.kafka.consumer.group": "g"}, {"consumer_group": "g"}),
        ({"messaging.destination.name": "t", "messaging.kafka.cluster.id": "C"}, {"cluster": "C"}),
        ({"headwater.event.id": "e"}, {"event_id": "e"}),
        ({"error.type": "timeout"}, {"error_type": "timeout"}),
        ({"http.route": "/"}, {"topic": None, "operation": None}),
    ],
)
def test_attributes_that_become_columns(given: dict[str, object], columns: dict[str, object]) -> None:
    row = one(a_request(a_span(attributes=given)))
    assert {name: row[name] for name in columns} == columns


@pytest.mark.parametrize(
    ("change", "marks"),
    [
        ({"ms": -5.0}, ["ends_before_start"]),
        ({"start_ns": time.time_ns() + 48 * HOUR}, ["far_future"]),
        ({"start_ns": time.time_ns() - 60 * 24 * HOUR}, ["far_past"]),
        ({"start_ns": 0, "end_ns": 0}, ["no_time"]),
        ({"end_ns": 2**64 - 1}, ["far_future"]),
        ({"start_ns": 2**64 - 1, "end_ns": 5}, ["ends_before_start", "far_future"]),
        ({}, None),
    ],
)
def test_odd_times_are_stored_and_marked(change: dict[str, Any], marks: list[str] | None) -> None:
    assert one(a_request(a_span(**change)))["marks"] == marks


def test_a_repeated_span_id_is_stored_and_marked() -> None:
    span = a_span()
    batch = decode(a_request(span).SerializeToString(), a_request(span).SerializeToString())
    assert [row["marks"] for row in rows(batch.spans)] == [None, ["repeated_id"]]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (a_span("bad", trace_id="0" * 32), "trace_id"),
        (a_span("bad", trace_id=""), "trace_id"),
        (a_span("bad", trace_id="ab"), "trace_id"),
        (a_span("bad", span_id="0" * 16), "span_id"),
        (a_span("bad", span_id="ab" * 16), "span_id"),
    ],
)
def test_a_span_without_an_id_costs_only_itself(bad: Span, reason: str) -> None:
    request = a_request(a_span("good"), bad, a_span("good"))
    for batch in (decode(request.SerializeToString()), decode(as_json(request), kind=Kind.HTTP_JSON)):
        assert batch.spans["name"].to_pylist() == ["good", "good"]
        (found,) = batch.quarantined
        assert found.reason == reason
        assert "'bad'" in found.detail
        assert found.raw


def test_bad_utf8_is_replaced_and_counted() -> None:
    span = a_span("called", attributes={"key": "value", "other": "fine"})
    body = (
        a_request(span).SerializeToString().replace(b"value", b"va\xff\xfee").replace(b"called", b"cal\xc3ed")
    )
    batch, repairs = Decoder().decode([RawRequest(time.time_ns(), Kind.HTTP_PROTOBUF, body)])
    (row,) = rows(batch.spans)
    assert row["name"] == "cal\ufffded"
    assert json.loads(row["attributes"]) == {"key": "va\ufffd\ufffde", "other": "fine"}
    assert repairs["bad_text"] == 2


def test_of_a_key_given_twice_the_last_counts() -> None:
    span = a_span()
    span.attributes.extend([*attributes_of({"k": 1}), *attributes_of({"k": 2})])
    batch, repairs = Decoder().decode(
        [RawRequest(time.time_ns(), Kind.HTTP_PROTOBUF, a_request(span).SerializeToString())]
    )
    assert json.loads(batch.spans["attributes"][0].as_py()) == {"k": 2}
    assert repairs["duplicate_key"] == 1


def test_ten_thousand_attributes_are_kept() -> None:
    row = one(a_request(a_span(attributes={f"key{n}": n for n in range(10_000)})))
    assert len(json.loads(row["attributes"])) == 10_000


def test_deep_nesting_is_cut_and_not_fatal() -> None:
    value: dict[str, Any] = {"stringValue": "deep"}
    for _ in range(200):
        value = {"arrayValue": {"values": [value]}}
    span = {"traceId": a_trace_id(), "spanId": a_span_id(), "attributes": [{"key": "k", "value": value}]}
    nameless = {**span, "spanId": ""}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span, nameless]}]}]}).encode()
    batch = decode(body, kind=Kind.HTTP_JSON)
    assert len(batch.quarantined) == 1
    assert "nested too deep" in batch.spans["attributes"][0].as_py()


def test_a_span_cut_inside_costs_only_itself() -> None:
    good, bad = a_span("good"), a_span("bad")
    bad_bytes = bad.SerializeToString()
    request = a_request(good, bad)
    spoilt = bad_bytes[:-1] + b"\x7f"
    body = request.SerializeToString().replace(bad_bytes, spoilt[: len(bad_bytes)])
    broken = bytearray(body)
    at = body.index(spoilt)
    broken[at + 1] = 0x7F  # the trace id now claims 127 bytes
    batch = decode(bytes(broken))
    assert batch.spans["name"].to_pylist() == ["good"]
    assert [found.reason for found in batch.quarantined] == ["malformed_span"]


def test_truncated_at_any_byte_nothing_worse_than_a_quarantine() -> None:
    body = a_full_request().SerializeToString()
    for cut in range(len(body)):
        batch = decode(body[:cut], a_request(a_span("next")).SerializeToString())
        assert batch.spans["name"].to_pylist()[-1] == "next"


def test_any_byte_changed_nothing_worse_than_a_quarantine() -> None:
    body = a_full_request().SerializeToString()
    decoder, now = Decoder(), time.time_ns()
    for at in range(0, len(body)):
        spoilt = bytearray(body)
        spoilt[at] ^= 0x9D
        batch, _ = decoder.decode([RawRequest(now, Kind.HTTP_PROTOBUF, bytes(spoilt))])
        batch.spans.validate(full=True)


JSON_ODDITIES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("integers as numbers", {"startTimeUnixNano": 5, "kind": 2}, {"started_at": 5, "kind": "server"}),
    ("integers as text", {"startTimeUnixNano": "5", "kind": "2"}, {"started_at": 5, "kind": "server"}),
    ("enumerations by name", {"kind": "SPAN_KIND_PRODUCER"}, {"kind": "producer"}),
    ("status by name", {"status": {"code": "STATUS_CODE_ERROR"}}, {"status": "error"}),
    ("null is unset", {"kind": None, "name": None, "attributes": None}, {"kind": "internal", "name": ""}),
    ("unknown fields", {"surprise": {"a": 1}}, {"name": "n"}),
    ("upper-case ids", {"spanId": "ABCDEF0123456789"}, {"span_id": "abcdef0123456789"}),
]


@pytest.mark.parametrize(("what", "span", "expected"), JSON_ODDITIES)
def test_json_is_read_leniently(what: str, span: dict[str, Any], expected: dict[str, Any]) -> None:
    whole = {"traceId": a_trace_id(), "spanId": a_span_id(), "name": "n", **span}
    body = orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [whole]}]}]})
    (row,) = rows(decode(body, kind=Kind.HTTP_JSON).spans)
    assert {key: row[key] for key in expected} == expected, what


@pytest.mark.parametrize(
    "bad",
    [
        7,
        {"traceId": "xyz"},
        {"attributes": 5},
        {"attributes": [{"value": {"stringValue": "no key"}}]},
        {"startTimeUnixNano": "soon"},
        {"events": [3]},
        {"status": "bad"},
        {"links": {"a": 1}},
    ],
)
def test_a_bad_json_span_costs_only_itself(bad: Any) -> None:
    ids = {"traceId": a_trace_id(), "spanId": a_span_id()}
    spans = [{**ids, **bad} if isinstance(bad, dict) else bad, {**ids, "name": "good"}]
    batch = decode(orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}), kind=Kind.HTTP_JSON)
    assert batch.spans["name"].to_pylist() == ["good"]
    assert len(batch.quarantined) == 1
