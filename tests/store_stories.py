"""Stories of messages that tests of the views tell: each is a list of spans, and what is true of them."""

from __future__ import annotations

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from store_helpers import Told, link, process, send, work

ORDERS = ("orders", 0, 5)
PAYMENTS = ("payments", 1, 9)
RETRY = ("orders-retry", 0, 2)
PAID = ("payments", 1, 11)
DEAD = ("orders-dlq", 0, 1)
OTHER_ORDERS = ("orders", 0, 6)
THIRD_ORDERS = ("orders", 1, 6)


def chain() -> list[Told]:
    """checkout → orders → pay → payments → ship; the last in a trace of its own, headers stripped."""
    return [
        work("shop", "A", "checkout", 0, 30),
        send("shop", "A", "send orders", ORDERS, 5, 10, "checkout"),
        process("pay", "A", "process orders", ORDERS, 40, 20, "send orders"),
        send("pay", "A", "send payments", PAYMENTS, 50, 5, "process orders"),
        process("ship", "B", "process payments", PAYMENTS, 100, 20),
        work("ship", "B", "insert", 105, 5, "process payments"),
    ]


def two_groups() -> list[Told]:
    """One message, read by two groups, each in a trace of its own."""
    return [
        send("shop", "A", "send orders", ORDERS, 0, 10),
        process("pay", "P", "pay orders", ORDERS, 20, 10),
        process("mail", "M", "mail orders", ORDERS, 30, 10),
    ]


def retries_and_dead_letter() -> list[Told]:
    """Handling fails, goes to a retry topic, fails again after its delay, ends as a dead letter."""
    origin = {"headwater.origin": "orders:0:5", "headwater.origin.group": "pay"}
    return [
        work("shop", "A", "checkout", 0, 30),
        send("shop", "A", "send orders", ORDERS, 5, 5, "checkout"),
        process("pay", "A", "first try", ORDERS, 20, 10, "send orders", error="no money"),
        send("pay", "R", "send retry", RETRY, 25, 5, attributes=origin | {"headwater.cause": "orders:0:5"}),
        process(
            "pay", "S", "second try", RETRY, 150, 10, group="pay-retry", error="no money",
            attributes=origin | {"headwater.retry.attempt": 2, "headwater.retry.due_ms": 1_790_000_000_100},
        ),
        send(
            "pay", "D", "give up", DEAD, 155, 5,
            attributes=origin | {"headwater.dead_letter": True, "headwater.cause": "orders-retry:0:2"},
        ),
    ]  # fmt: skip


def batch() -> list[Told]:
    """Three messages of two flows handled by one batch, which handles one of them in a span of its own."""
    return [
        work("shop", "A", "checkout A", 0, 5),
        send("shop", "A", "send A1", ORDERS, 1, 2, "checkout A"),
        send("shop", "A", "send A2", OTHER_ORDERS, 2, 2, "checkout A"),
        work("shop", "B", "checkout B", 0, 5),
        send("shop", "B", "send B", THIRD_ORDERS, 1, 2, "checkout B"),
        (
            "pay",
            _batch_span(
                "process batch", 50, 40, "process", [("A", "send A1", ORDERS), ("A", "send A2", OTHER_ORDERS),
                ("B", "send B", THIRD_ORDERS)],
            ),
        ),
        process("pay", "X", "handle B", THIRD_ORDERS, 60, 10, "process batch"),
        work("pay", "X", "charge B", 62, 5, "handle B"),
        work("pay", "X", "commit batch", 80, 5, "process batch"),
        send("pay", "X", "send paid B", PAYMENTS, 64, 2, "handle B"),
        process("ship", "Y", "ship B", PAYMENTS, 90, 10),
    ]  # fmt: skip


def _batch_span(
    name: str,
    start_ms: float,
    ms: float,
    operation: str,
    records: list[tuple[str, str, tuple[str, int, int]]],
) -> Span:
    links = [link(in_trace, sent, where) for in_trace, sent, where in records]
    attributes = {
        "messaging.system": "kafka", "messaging.operation.type": operation,
        "messaging.destination.name": "orders", "messaging.consumer.group.name": "pay",
    }  # fmt: skip
    return work("pay", "X", name, start_ms, ms, kind="consumer", links=links, attributes=attributes)[1]


def batch_without_headers() -> list[Told]:
    """Messages of two flows, sent without headers, handled by a batch that names them by their offsets alone."""
    handling = {
        "messaging.system": "kafka", "messaging.operation.type": "process", "messaging.destination.name": "orders",
        "messaging.consumer.group.name": "pay", "headwater.offsets": ["orders:0:5-6"],
    }  # fmt: skip
    return [
        work("shop", "A", "checkout A", 0, 5),
        send("shop", "A", "send A", ORDERS, 1, 2, "checkout A"),
        send("shop", "B", "send B", OTHER_ORDERS, 1, 2),
        work("pay", "X", "process batch", 50, 40, kind="consumer", attributes=handling),
        work("pay", "X", "commit batch", 80, 5, "process batch"),
    ]


def consumer_loop() -> list[Told]:
    """A start-up span under which one consumer handles messages of two flows."""
    return [
        send("shop", "A", "send A", ORDERS, 1, 2),
        send("shop", "B", "send B", OTHER_ORDERS, 1, 2),
        work("pay", "L", "run", 0, 500),
        work("pay", "L", "connect", 1, 5, "run"),
        process("pay", "L", "handle A", ORDERS, 20, 10, "run"),
        work("pay", "L", "charge A", 22, 3, "handle A"),
        process("pay", "L", "handle B", OTHER_ORDERS, 40, 10, "run"),
        work("pay", "L", "charge B", 42, 3, "handle B"),
    ]


def linked_only() -> list[Told]:
    """Consumers that keep a link and no parent; the producer tells no coordinates."""
    return [
        work("shop", "A", "checkout", 0, 5),
        work("shop", "A", "send", 1, 2, "checkout", kind="producer"),
        work("pay", "B", "consume", 20, 5, kind="consumer", links=[link("A", "send")]),
        work("pay", "B", "charge", 21, 2, "consume"),
        work("ship", "C", "ship", 30, 5, links=[link("B", "charge")]),
    ]


def circle() -> list[Told]:
    """Two traces whose roots link to each other, and a third that links to one of them."""
    return [
        work("a", "A", "a", 0, 5, links=[link("B", "b")]),
        work("b", "B", "b", 1, 5, links=[link("A", "a")]),
        work("c", "C", "c", 2, 5, links=[link("B", "b")]),
    ]


def orphan() -> list[Told]:
    """A span whose parent was never sent, and a poll that found nothing."""
    attributes = {"messaging.system": "kafka", "messaging.operation.type": "receive"}
    return [
        work("pay", "A", "charge", 0, 5, "never sent", error="refused"),
        work("pay", "B", "poll orders", 0, 5, kind="client", attributes=attributes),
    ]


def transactions() -> list[Told]:
    """A handler's transaction that aborts and one that commits, and one around messages of two other flows."""
    ours = {"headwater.txn.id": "pay-1"}
    careful = {"headwater.isolation": "read_committed"}
    return [
        send("shop", "A", "send orders", ORDERS, 0, 10),
        process("pay", "A", "try", ORDERS, 20, 60, "send orders"),
        work("pay", "A", "aborting", 25, 20, "try", called="transaction",
             attributes=ours | {"headwater.txn.outcome": "aborted"}),
        send("pay", "A", "send in vain", PAYMENTS, 26, 4, "aborting", attributes=ours),
        send("pay", "A", "give up", DEAD, 31, 4, "aborting", attributes=ours),
        work("pay", "A", "committing", 50, 25, "try", called="transaction",
             attributes=ours | {"headwater.txn.outcome": "committed"}),
        send("pay", "A", "send payments", PAID, 52, 4, "committing", attributes=ours),
        process("ship", "A", "ship", PAID, 90, 5, "send payments", attributes=careful),
        process("audit", "A", "look early", PAID, 60, 5, "send payments"),
        process("quick", "A", "ship at once", PAID, 70, 5, "send payments", attributes=careful),
        work("bulk", "T", "around", 0, 100, called="transaction",
             attributes={"headwater.txn.id": "bulk-1", "headwater.txn.outcome": "aborted"}),
        work("bulk", "B", "handle B", 5, 20),
        send("bulk", "B", "send B", OTHER_ORDERS, 6, 4, "handle B", links=[link("T", "around")],
             attributes={"headwater.txn.id": "bulk-1"}),
        work("bulk", "C", "handle C", 30, 20),
        send("bulk", "C", "send C", THIRD_ORDERS, 31, 4, "handle C", links=[link("T", "around")],
             attributes={"headwater.txn.id": "bulk-1"}),
    ]  # fmt: skip


def replays() -> list[Told]:
    """A dead letter that is sent again twice, once by somebody who leaves no span; then what followed from it."""
    again = {"headwater.origin": "orders:0:5", "headwater.origin.group": "pay"}
    return [
        send("shop", "A", "send orders", ORDERS, 0, 10),
        process("pay", "A", "try", ORDERS, 20, 10, "send orders", error="no money"),
        send("pay", "A", "give up", DEAD, 25, 3, "try", attributes=again | {"headwater.dead_letter": True}),
        send("operator", "R", "send again", OTHER_ORDERS, 1000, 10, attributes=again),
        process("pay", "R", "try again", OTHER_ORDERS, 1020, 10, "send again", attributes=again, error="no money"),
        send("pay", "R", "send payments", PAYMENTS, 1022, 4, "try again"),
        process("ship", "S", "ship", PAYMENTS, 1040, 5),
        process("pay", "Q", "try at last", THIRD_ORDERS, 2000, 10, attributes=again),
    ]  # fmt: skip


def copies() -> list[Told]:
    """An event sent again by somebody who tells nothing but its id, then through a retry topic that nobody watches."""
    event = {"headwater.event.id": "e1"}
    return [
        send("shop", "A", "send orders", ORDERS, 0, 10, attributes=event),
        process("pay", "A", "pay", ORDERS, 20, 10, "send orders", attributes=event),
        send("redrive", "B", "send again", OTHER_ORDERS, 100, 10, attributes=event),
        process("pay", "B", "pay again", OTHER_ORDERS, 120, 10, "send again", attributes=event),
        process("pay", "C", "pay at last", RETRY, 200, 10, attributes=event),
        work("pay", "C", "charge", 202, 5, "pay at last"),
        process("mail", "M", "mail orders", ORDERS, 30, 10, attributes=event),
        send("bridge", "P", "send payments", PAYMENTS, 300, 5, attributes=event),
        send("shop", "L", "send linked", THIRD_ORDERS, 400, 5, attributes=event, links=[link("B", "send again")]),
    ]  # fmt: skip


def worn_out_event() -> list[Told]:
    """An id that stands on one message more than copies explain; without the last, all would be one flow."""
    event = {"headwater.event.id": "the same"}
    looped = [
        send("shop", "A", f"send {n}", ("orders", 0, n), n * 10, 5, "loop", attributes=event)
        for n in range(18)
    ]
    return [
        work("shop", "A", "loop", 0, 200),
        *looped,
        send("shop", "B", "send 18", ("orders", 1, 0), 300, 5, attributes=event),
        send("shop", "C", "send 19", ("orders", 1, 1), 310, 5, attributes=event),
        send("shop", "D", "send 20", ("orders", 1, 2), 320, 5, attributes=event),
    ]


STORIES = (
    chain, two_groups, retries_and_dead_letter, batch, consumer_loop, linked_only, circle, orphan, transactions,
    replays, batch_without_headers, copies, worn_out_event,
)  # fmt: skip
