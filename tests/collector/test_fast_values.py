"""Values on the fast path: what Python and protobuf say of them, in any number."""

from __future__ import annotations

import json
import math
import random
from typing import TYPE_CHECKING

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from builders import a_process, a_request, a_span, attributes_of
from decoder_helpers import IDS, around, differences, field, requests_of
from headwater_collector.receivers.otlp_decode import Decoder

if TYPE_CHECKING:
    from headwater_collector.receivers.fast.decoder import FastDecoder

NOW = 1_790_000_000_000_000_000
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text()
    | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def check(fast: FastDecoder, *bodies: bytes) -> None:
    requests = requests_of(bodies, NOW)
    fast.forget()
    assert differences(fast.decode(requests), Decoder().decode(requests)) == {}


def texts(fast: FastDecoder, *attributes: dict[str, object]) -> list[str]:
    """Attributes of spans as JSON; each span is taken by the compiled code."""
    spans = [a_span(start_ns=NOW, attributes=each) for each in attributes]
    batch, _ = fast.decode(requests_of([a_request(*spans).SerializeToString()], NOW))
    found: list[str] = batch.spans["attributes"].to_pylist()
    return found


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(attributes=st.dictionaries(st.text(), ANY, max_size=6))
def test_any_attributes(fast: FastDecoder, attributes: dict[str, object]) -> None:
    link = ("ab" * 16, "cd" * 8, attributes)
    events = [("exception", attributes)]
    span = a_span(attributes=attributes, links=[link], events=events, start_ns=NOW)
    check(fast, a_request(span, resource=attributes).SerializeToString())


def test_doubles_are_the_shortest_text_that_reads_back(fast: FastDecoder) -> None:
    dice = random.Random(5)
    numbers = [dice.random() * 10.0 ** dice.randrange(-300, 300) for _ in range(20_000)]
    numbers += [2.0**power for power in range(-1074, 1024)] + [10.0**power for power in range(-323, 309)]
    numbers += [-0.0, 0.0, 5e-324, 1.7976931348623157e308, 123456.789, 9007199254740993.0]
    for start in range(0, len(numbers), 1000):
        part: list[object] = list(numbers[start : start + 1000])
        (found,) = texts(fast, {"list": part})
        assert found == orjson.dumps({"list": part}).decode()
        assert json.loads(found)["list"] == part


def test_no_numbers_are_words(fast: FastDecoder) -> None:
    (found,) = texts(fast, {"a": math.nan, "b": math.inf, "c": -math.inf, "d": [math.nan]})
    assert found == '{"a":"NaN","b":"Infinity","c":"-Infinity","d":["NaN"]}'


def test_nesting_to_any_depth(fast: FastDecoder) -> None:
    bodies = []
    for depth in (1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 99, 500):
        value = b"\x18\x01"
        for level in range(depth):
            in_map = field(6, field(1, field(1, b"k") + field(2, value)))
            value = in_map if level % 2 else field(5, field(1, value))
        bodies.append(around(IDS + field(9, field(1, b"deep") + field(2, value))))
    check(fast, *bodies)


def test_keys_given_again(fast: FastDecoder) -> None:
    span = a_span(start_ns=NOW, attributes={"a": 1, "b": 2, "long key of a certain length": 3})
    for again in ("a", "long key of a certain length"):
        span.attributes.extend(attributes_of({again: 9}))
    nested = a_span(start_ns=NOW)
    value = AnyValue()
    value.kvlist_value.values.extend([*attributes_of({"x": 1}), *attributes_of({"x": 2})])
    nested.attributes.append(KeyValue(key="map", value=value))
    check(fast, a_request(span).SerializeToString(), a_request(nested).SerializeToString())


def test_many_of_everything(fast: FastDecoder) -> None:
    many_keys = a_span(start_ns=NOW, attributes={f"key{number}": number for number in range(10_000)})
    many_parts = a_span(
        start_ns=NOW,
        events=[("e", {"n": number}) for number in range(3_000)],
        links=[("ab" * 16, "cd" * 8, {"n": number}) for number in range(3_000)],
    )
    large = a_span(start_ns=NOW, attributes={"text": "\x01" * 100_000, "more": "x" * 20_000})
    larger = a_span(start_ns=NOW, attributes={"text": "ж" * 200_000})
    body = a_request(many_keys, *[many_parts] * 30, *[large] * 60, larger).SerializeToString()
    check(fast, body, a_request(*[a_process("t", 1, 2, "g", start_ns=NOW)] * 20_000).SerializeToString())
