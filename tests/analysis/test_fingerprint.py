"""Dead letters of one cause share a failure group; those of different causes do not."""

import pytest

from headwater_analysis.fingerprint import (
    failure_group_id,
    normalise_message,
    normalised_error,
    top_frame,
)


@pytest.mark.parametrize(
    ("sentence", "message", "expected"),
    [
        ("numbers go", "order 1042 has no amount", "order # has no amount"),
        ("amounts go", "amount -12.50 below 0", "amount # below #"),
        ("UUIDs go", "order 6f1e0c1e-7d1a-4b0e-9d5b-0a2b3c4d5e6f unknown", "order # unknown"),
        ("hex goes", "checksum deadbeef01 at 0x7fff12", "checksum # at #"),
        ("words of hex letters stay", "facade decade accede", "facade decade accede"),
        ("quoted strings go", "no field 'amount' in \"x y\"", "no field # in #"),
        ("an apostrophe is no quote", "can't read the customer's card", "can't read the customer's card"),
        ("hosts and ports go", "gateway:443 and 10.0.0.7:9092 refused", "# and # refused"),
        ("URLs go", "POST https://gateway/charge/77 failed", "POST # failed"),
        ("objects' addresses go", "<Order object at 0x7f3a> lost", "<Order object at #> lost"),
        ("lists become one", "ids 1, 2, 3 left", "ids # left"),
        ("space is one", "a \n  b", "a b"),
        ("a message without variable parts stays", "card declined", "card declined"),
    ],
)
def test_messages_lose_what_varies(sentence: str, message: str, expected: str) -> None:
    assert normalise_message(message) == expected, sentence


def test_one_cause_is_one_group_and_each_part_tells_causes_apart() -> None:
    def group(topic: str = "orders", reader: str = "payments", kind: str = "E", text: str = "no 1") -> str:
        return failure_group_id(topic, reader, kind, normalised_error(text, None))

    assert group(text="no 1") == group(text="no 22")
    others = [group(topic="t"), group(reader="r"), group(kind="K"), group(text="yes 1")]
    assert len({group(), *others}) == 5
    assert len(group()) == 16


def test_without_a_message_the_top_frame_stands_for_it() -> None:
    java = "a.B: no\n\tat shop.Gateway.charge(Gateway.java:41)\n\tat shop.Main.main(Main.java:3)"
    python = 'Traceback\n  File "/srv/main.py", line 3, in run\n  File "/srv/pay.py", line 41, in charge\n'
    assert top_frame(java) == "shop.Gateway.charge"
    assert top_frame(python) == "pay.py charge"
    assert normalised_error(None, java) == "shop.Gateway.charge"
    assert normalised_error("", None) is None
    assert top_frame("no stack at all") is None
