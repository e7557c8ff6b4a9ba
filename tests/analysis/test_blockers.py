"""The verdict on what blocks a group goes as far as the chain is known. Each row begins with the sentence it proves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headwater_analysis.blockers import _SAID, Chain, Culprit, called, culprit, missing_link, verdict

NOW = 1_790_000_000_000_000_000
S = 1_000_000_000
CHAIN = Chain(
    cluster="c1", consumer_group="payments", topic="orders", partition=7, status="stalled",
    evidence="nothing for 6 min",
    since_ns=NOW - 372 * S, message_offset=10482, assumed=True, committed=10482, lag=1205, waiting_behind=1204,
    lag_seconds=372.0, member="worker-1", sent_ns=None, sent_by=None, size=None, key_hash=None, event_id=None,
    flow_id=None, deliveries=0, failures=0, attempt=None, first_delivery_ns=None, last_delivery_ns=None,
    last_status=None, error_type=None, service=None, trace_id=None, span_id=None, held_ns=None, held_seconds=None,
    send_trace_id=None,
)  # fmt: skip
CALL = Culprit("t", "s", "payments", "POST", "POST gateway:443/charge", "CardGatewayTimeout", 30_000.0, True)
FAILED: dict[str, Any] = {
    "status": "blocked", "assumed": False, "deliveries": 14, "failures": 14, "attempt": 14, "error_type": "Oops",
    "last_status": "error", "service": "payments", "trace_id": "t", "span_id": "p", "sent_ns": NOW - 380 * S,
}  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "more", "last", "says", "missing"),
    [
        ("the whole chain", FAILED, CALL,
         "orders/7: payments is on offset 10482 for 6 min 12 s, attempt 14; each fails with CardGatewayTimeout in POST "
         "gateway:443/charge (p50 30.0 s). 1,204 messages wait behind it.", None),
        ("without child spans it ends with the delivery's error", FAILED, None,
         "orders/7: payments is on offset 10482 for 6 min 12 s, attempt 14; each fails with Oops. 1,204 messages wait "
         "behind it.", "No child span of the failing delivery is stored"),
        ("without its send span, that is what is missing", {**FAILED, "sent_ns": None}, CALL, "", "No send span names"),
        ("failed, and nobody is there any more", {**FAILED, "member": None}, CALL,
         "(p50 30.0 s); nobody has the partition. 1,204", None),
        ("held again", {**FAILED, "held_ns": NOW - 5 * S, "held_seconds": 5.0}, CALL,
         "attempt 15; each fails with CardGatewayTimeout in POST gateway:443/charge (p50 30.0 s); payments has "
         "it now",
         None),
        ("in flight, and no call has ended", {"held_ns": NOW - 90 * S, "held_seconds": 90.0, "service": "payments"},
         None,
         "; payments has it in flight and no span of its handling has ended yet.",
         "give the handler's calls a time-out"),
        ("nothing but offsets", {}, None,
         "orders/7: payments is on offset 10482 (assumed: the committed offset) for 6 min 12 s; worker-1 has "
         "the partition and says nothing of this message. 1,204", "instrument the consumer"),
        ("nobody reads", {"status": "stopped", "member": None}, None, "; nobody has the partition.",
         "start a consumer"),
        ("done and yet not committed", {"deliveries": 1}, None,
         "; its last delivery ended without error.", "whether the group commits"),
        ("an open transaction", {"status": "frozen", "sent_by": "ledger", "sent_ns": NOW}, None,
         "orders/7: payments is held up at offset 10482 by an open transaction of ledger for 6 min 12 s. 1,204", None),
        ("an open transaction of somebody", {"status": "frozen"}, None, "by an open transaction for 6 min",
         "instrument the producers"),
        ("one message waits", {"waiting_behind": 1}, None, " 1 message waits behind it.", "instrument"),
        ("no commit ever", {"status": "no_commit", "message_offset": None}, None,
         "orders/7: payments has not committed anything yet: nothing for 6 min.", "instrument"),
    ],
)  # fmt: skip
def test_the_sentence_ends_where_the_chain_does(
    sentence: str, more: dict[str, Any], last: Culprit | None, says: str, missing: str | None
) -> None:
    chain = replace(CHAIN, **more)
    said = verdict(chain, last, NOW)
    assert says in said, sentence
    assert said.endswith(".")
    lacks = missing_link(chain, last)
    assert (lacks is None) if missing is None else (missing in (lacks or "")), lacks


@pytest.mark.parametrize(
    ("says", "said"),
    [
        ("POST gateway:443/charge", {"server.address": "gateway", "server.port": "443", "http.request.method": "POST",
                                     "url.full": "https://gateway/charge?card=1"}),
        ("GET stock:8080/items", {"server.address": "stock", "server.port": "8080", "http.request.method": "GET",
                                  "url.path": "/items"}),
        ("SELECT postgresql shop at db-1", {"db.system": "postgresql", "db.namespace": "shop",
                                            "db.operation.name": "SELECT", "server.address": "db-1"}),
        ("cards:50051/cards.Gateway/Charge", {"server.address": "cards", "server.port": "50051",
                                              "rpc.service": "cards.Gateway", "rpc.method": "Charge"}),
        ("do it", {}),
    ],
)  # fmt: skip
def test_a_call_is_named_by_whom_it_calls(says: str, said: dict[str, str]) -> None:
    assert called("do it", [said.get(path[3:-1]) for path in _SAID]) == says


def a_row(span: str, parent: str, ms: float, status: str = "ok", at: int = 0) -> dict[str, Any]:
    return {
        "span_id": span, "parent_span_id": parent, "service": "pay", "name": span[0], "status": status,
        "error_type": "Boom" if status == "error" else None, "started_ns": at, "duration_ms": ms, "said": None,
    }  # fmt: skip


def test_the_deepest_failing_child_is_it_else_the_longest_one() -> None:
    rows = [
        a_row("a1", "p", 5, "error"),
        a_row("b1", "a1", 4, "error"),
        a_row("c1", "p", 900),
        a_row("b2", "x", 6),
    ]
    found = culprit("t", rows, "p")
    assert found is not None
    assert (found.span_id, found.error_type, found.failed, found.p50_ms) == ("b1", "Boom", True, 5.0)
    found = culprit("t", [a_row("a1", "p", 5), a_row("c1", "p", 900), a_row("d1", "c1", 950)], "p")
    assert found is not None
    assert (found.span_id, found.failed) == ("c1", False)
    assert culprit("t", rows, "nothing below") is None
    assert culprit("t", [a_row("p", "p", 5)], "p") is None, "a span that is its own parent ends the search"
