"""Masking: what the rules say never reaches the store, in whatever encoding it came."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import orjson
import pytest

import store_helpers as told
from builders import a_request, a_span
from headwater_analysis.errors import UsageError
from headwater_analysis.settings import read
from headwater_collector.config import SERVE, from_settings
from headwater_collector.masking import Masking, rules_of
from headwater_collector.receivers.otlp_decode import Decoder, Kind, RawRequest
from headwater_collector.records import LogPosition, SpanBatch
from headwater_collector.store import append_spans
from store_helpers import open_store

CARD = "4111111111111111"


def a_batch() -> SpanBatch:
    span = a_span(
        f"GET /pay/{CARD}",
        error=f"card {CARD} refused",
        attributes={
            "user.id": "anna",
            "user.age": 41,
            "http.url": f"https://shop/pay?card={CARD}",
            "messaging.destination.name": "orders",
            "messaging.system": "kafka",
            "db.parameters": {"password": "hunter2", "id": 5},
            "tags": ["a", f"b {CARD}"],
        },
        events=[("exception", {"exception.type": "Refused", "exception.message": "anna's card"})],
        links=[(told.trace("x"), told.span("y"), {"user.id": "bob"})],
    )
    request = a_request(span, resource={"host.ip": "10.0.0.1", "host.name": "node-1"})
    raw = RawRequest(told.START_NS, Kind.HTTP_PROTOBUF, request.SerializeToString())
    return Decoder().decode([raw])[0]


def masked(*rules: dict[str, Any]) -> SpanBatch:
    return rules_of({"rules": list(rules)}, {"HEADWATER_KEY_SECRET": "s3cret"}).masked(a_batch())


def attributes(table: Any) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(table["attributes"][0].as_py())
    return found


def test_without_rules_a_batch_is_not_touched() -> None:
    batch = a_batch()
    assert Masking().masked(batch) is batch


def test_drop_takes_keys_away_wherever_they_are() -> None:
    batch = masked({"keys": ["user.*", "exception.message", "host.ip"], "action": "drop"})
    assert "user.id" not in attributes(batch.spans) and "user.age" not in attributes(batch.spans)
    assert attributes(batch.spans)["http.url"].endswith(CARD)
    assert attributes(batch.events) == {"exception.type": "Refused"}
    assert attributes(batch.links) == {}
    assert "host.ip" not in attributes(batch.resources) and "host.name" in attributes(batch.resources)


def test_hashes_are_keyed_and_the_same_as_the_services() -> None:
    batch = masked({"keys": "user.*", "action": "hash", "on": ["spans"]})
    expected = hashlib.blake2b(b"anna", digest_size=8, key=b"s3cret").hexdigest()
    assert attributes(batch.spans)["user.id"] == expected
    assert attributes(batch.links) == {"user.id": "bob"}


def test_mask_reaches_nested_keys() -> None:
    found = attributes(masked({"keys": "*.password", "action": "mask"}).spans)
    assert found["db.parameters"] == {"password": "***", "id": 5}


def test_replace_reaches_every_text_the_span_name_and_its_status_too() -> None:
    rule = {"action": "replace", "pattern": r"\b(\d{2})\d{12}(\d{2})\b", "with": r"\1…\2"}
    batch = masked(rule)
    assert batch.spans["name"].to_pylist() == ["GET /pay/41…11"]
    assert batch.spans["status_message"].to_pylist() == ["card 41…11 refused"]
    assert attributes(batch.spans)["tags"] == ["a", "b 41…11"]
    assert CARD not in str(batch.spans.select(["name", "status_message", "attributes"]).to_pylist())


def test_a_glob_passes_by_what_joins_messages() -> None:
    batch = masked({"keys": "*", "action": "drop"})
    assert attributes(batch.spans) == {"messaging.destination.name": "orders", "messaging.system": "kafka"}
    assert attributes(batch.resources) == {"service.name": "shop"}
    assert batch.spans["topic"].to_pylist() == ["orders"]


def test_bytes_that_could_not_be_read_are_not_kept() -> None:
    raw = RawRequest(told.START_NS, Kind.HTTP_JSON, b'{"resourceSpans": [{"scopeSpans": 5}]}')
    batch = Decoder().decode([raw])[0]
    rules = rules_of({"rules": [{"keys": "user.id", "action": "drop"}]}, {})
    assert [item.raw for item in batch.quarantined] != [None]
    assert [item.raw for item in rules.masked(batch).quarantined] == [None]


def test_a_masked_batch_is_stored(tmp_path: Path) -> None:
    store = open_store(tmp_path / "headwater.duckdb")
    batch = masked({"keys": ["user.*", "name"], "action": "hash"}, {"keys": "*.message", "action": "mask"})
    store.write(lambda writer: append_spans(writer, batch, LogPosition(1, 1)))
    assert store.read("select attributes ->> '$.\"exception.message\"' from span_events") == [("***",)]
    store.close()


@pytest.mark.parametrize(
    ("why", "rule", "says"),
    [
        ("an unknown action", {"keys": "a", "action": "burn"}, "action 'burn'; it takes one of drop, hash"),
        ("no keys", {"action": "drop"}, "rule 1 names no keys"),
        ("a word that no rule has", {"key": "a", "action": "drop"}, "has 'key'; a rule takes keys"),
        ("a place that is none", {"keys": "a", "action": "drop", "on": ["logs"]}, "is on logs"),
        ("a broken pattern", {"action": "replace", "pattern": "("}, "pattern or a text in with"),
        ("a group in vain", {"action": "replace", "pattern": "a", "with": r"\3"}, "not usable"),
        ("a pattern without replace", {"keys": "a", "action": "drop", "pattern": "b"}, "needs a pattern"),
        ("replace without a pattern", {"action": "replace"}, "needs a pattern"),
        ("a hash without a secret", {"keys": "a", "action": "hash"}, "no HEADWATER_KEY_SECRET"),
        ("what flows are joined by", {"keys": "messaging.kafka.offset", "action": "drop"}, "leave that key"),
    ],
)
def test_a_wrong_rule_stops_the_start_with_a_sentence(why: str, rule: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match="Masking rule 1 ") as refused:
        rules_of({"rules": [rule]}, {})
    assert says in str(refused.value), why


def test_rules_stand_in_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "headwater.toml"
    file.write_text('[[masking.rules]]\nkeys = "user.*"\naction = "drop"\n', encoding="utf-8")
    settings = from_settings(read(SERVE, ["--config", str(file)], {}))
    assert [rule.action for rule in settings.masking.rules] == ["drop"]
    file.write_text("[masking]\nrule = 5\n", encoding="utf-8")
    with pytest.raises(UsageError, match="no 'rule'"):
        from_settings(read(SERVE, ["--config", str(file)], {}))
