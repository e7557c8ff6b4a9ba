"""Frameworks that sit on a client: their handlers are in the chain, and every delivery is recorded once."""

from datetime import datetime
from pathlib import Path
from typing import Any

from environments import environment, run
from framework_services import NUMBER

SERVICES = Path(__file__).parents[1] / "framework_services.py"
PACKAGES = (
    *("opentelemetry-distro", "opentelemetry-sdk"),
    *("faststream[kafka]", "faust-streaming", "kombu", "confluent-kafka[avro,schemaregistry]"),
)
Span = dict[str, Any]
OFFSET = "messaging.kafka.offset"
CAUSE = "headwater.cause"


def spans_of(framework: str) -> list[Span]:
    spans, said = run(SERVICES, environment(*PACKAGES), framework)
    assert "headwater instrumentation failed" not in said, said
    return spans


def named(spans: list[Span], name: str) -> list[Span]:
    return [span for span in spans if span["name"] == name]


def above(spans: list[Span], span: Span) -> list[str]:
    """The span's ancestors, the next one first."""
    by_id = {one["context"]["span_id"]: one for one in spans}
    found = []
    while (parent := span["parent_id"]) is not None:
        span = by_id[parent]
        found.append(parent)
    return found


def ids(spans: list[Span]) -> list[str]:
    return [span["context"]["span_id"] for span in spans]


def judge(spans: list[Span], bodies: str = "process orders") -> list[Span]:
    """Each message sent, handled once under its send, and sent on from there; nothing points to what is not there."""
    sends, handled, onward = (named(spans, name) for name in ("send orders", bodies, "send orders-next"))
    assert len(sends) == len(handled) == len(onward) == NUMBER, [span["name"] for span in spans]
    assert len({above(spans, span)[-1] for span in handled}) == NUMBER
    for span in onward:
        (body,) = set(above(spans, span)) & set(ids(handled))
        found = next(one["attributes"] for one in handled if one["context"]["span_id"] == body)
        if OFFSET in found:
            place = (found[f"messaging.destination.{part}"] for part in ("name", "partition.id"))
            assert span["attributes"][CAUSE] == ":".join((*place, str(found[OFFSET])))
    for span in spans:
        above(spans, span)
    return handled


def test_faststream() -> None:
    spans = spans_of("faststream")
    handled = judge(spans)
    assert {span["parent_id"] for span in handled} == set(ids(named(spans, "send orders")))


def test_faststreams_own_spans_stand_for_ours() -> None:
    spans = spans_of("faststream-telemetry")
    assert named(spans, "process orders") == []
    handled = judge(spans, "orders process")
    for span in handled:
        said = span["attributes"]
        assert said["messaging.consumer.group.name"] == "g" and "headwater.record.ts" in said
    assert {span["parent_id"] for span in handled} == set(ids(named(spans, "orders create")))


def test_faststreams_own_spans_of_batches_stand_for_ours() -> None:
    spans = spans_of("faststream-telemetry-batch")
    assert named(spans, "process orders") == []
    offsets = [
        text for span in named(spans, "orders process") for text in span["attributes"]["headwater.offsets"]
    ]
    assert len(named(spans, "send orders-next")) == NUMBER and len(offsets) == len(
        named(spans, "poll orders")
    )
    for span in spans:
        above(spans, span)


def test_faust() -> None:
    spans = spans_of("faust")
    for span in judge(spans):
        begun = datetime.fromisoformat(span["start_time"]).timestamp() * 1000
        assert -1 <= begun - span["attributes"]["headwater.record.ts"] < 60_000
        assert span["attributes"]["messaging.consumer.group.name"] == "g"
    fetched = named(spans, "poll orders")
    assert {link["context"]["span_id"] for span in fetched for link in span["links"]} == set(
        ids(named(spans, "send orders"))
    )


def test_kombu() -> None:
    spans = spans_of("kombu")
    handled = judge(spans)
    assert {span["parent_id"] for span in handled} == set(ids(named(spans, "send orders")))
    # kombu may have fetched the next message when it acknowledges one.
    assert {span["parent_id"] for span in named(spans, "commit orders")} <= set(ids(handled))


def test_avro() -> None:
    """Classes of the client's own between the service and it, whose values carry the id of their schema."""
    spans = spans_of("avro")
    handled = judge(spans)
    said = [span["attributes"] for span in (*named(spans, "send orders"), *handled)]
    assert {(one["headwater.schema.id"], one["headwater.schema.source"]) for one in said} == {("1", "wire")}
