"""A simulated shop that knows what became of each of its messages, as spans and polls: what the ledger is scored by.

Orders go to two instrumented groups and one without instrumentation; retries, dead letters, replays, aborted
transactions, duplicates, losses, retention and messages that are stuck happen on purpose, each written down.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import store_helpers as told
from headwater_collector.records import LogPosition
from headwater_collector.store import Store, Writer, append_spans

Place = tuple[str, int, int]
"""Topic, partition, offset."""
Pair = tuple[str, int, int, str]
"""Topic, partition, offset, consumer group."""

STEP_MS = 20.0
QUIET_MS = 600_000.0
"""Between the traffic and the moment of judgement: long enough that what stands still is stuck."""
POLL_MS = 10_000.0
PARTITIONS = 3
FATES = (
    ("done", 800), ("tried_again", 40), ("declared_again", 20), ("handled_twice", 20), ("sent_twice", 10),
    ("failed", 15), ("retried", 25), ("retried_to_death", 15), ("dead_lettered", 15), ("dead_by_hand", 10),
    ("replayed", 10), ("skipped", 10), ("led_nowhere", 2),
)  # fmt: skip
"""What happens to an order in the group pay, and how often of about a thousand."""


@dataclass(frozen=True)
class Truth:
    """What became of a message in a group."""

    state: str
    stuck: bool | None = False
    no_successor: bool = False


@dataclass
class Shop:
    """Everything that was sent, seen and polled."""

    spans: list[told.Told] = field(default_factory=list)
    truth: dict[Pair, Truth] = field(default_factory=dict)
    commits: dict[tuple[str, str, int], list[tuple[float, int]]] = field(default_factory=dict)
    """By group, topic, partition: when the group committed up to where."""
    starts: dict[tuple[str, int], list[tuple[float, int]]] = field(default_factory=dict)
    ends: Counter[tuple[str, int]] = field(default_factory=Counter)
    held: list[dict[str, Any]] = field(default_factory=list)
    dead_letters: list[dict[str, Any]] = field(default_factory=list)
    judged_ms: float = 0.0

    def place(self, topic: str, partition: int) -> Place:
        """The next free offset."""
        self.ends[topic, partition] += 1
        return topic, partition, self.ends[topic, partition] - 1

    def commit(self, group: str, place: Place, at_ms: float) -> None:
        """The group has committed the message."""
        self.commits.setdefault((group, *place[:2]), []).append((at_ms, place[2] + 1))

    def said(self, place: Place, group: str, state: str, **flags: Any) -> None:
        """Write down the truth."""
        self.truth[*place, group] = Truth(state, **flags)


def when(ms: float) -> datetime:
    """A time of the story, as the poller writes it."""
    return datetime.fromtimestamp(told.at(ms) / 1e9, UTC).replace(tzinfo=None)


class Simulation:
    """Tells the story of so many orders, the same for the same seed."""

    def __init__(self, orders: int, seed: int = 1) -> None:
        self.shop = Shop()
        self._dice = random.Random(seed)
        self._orders = orders
        self._made = 0

    def run(self) -> Shop:
        """The whole story."""
        names, weights = zip(*FATES, strict=True)
        for number in range(self._orders):
            fate = self._dice.choices(names, weights)[0] if number > 300 else "done"
            self._order(fate, number * STEP_MS, number % PARTITIONS)
        quiet = self._orders * STEP_MS + 60_000
        self._imports(max(self._orders // 10, 60))
        self._clicks(max(self._orders // 20, 120), quiet)
        self._tail(quiet)
        return self.shop

    def _order(self, fate: str, at: float, partition: int) -> None:
        shop, name = self.shop, self._name("order")
        place = shop.place("orders", partition)
        self._sent(name, place, at, event=name if fate == "sent_twice" else None)
        self._others(name, place, at)
        self._pay(fate, name, place, at)
        shop.commit("pay", place, at + 2000)
        if fate == "sent_twice":
            again = shop.place("orders", partition)
            self._sent(f"{name} again", again, at + 3, trace=name, event=name)
            self._others(f"{name} again", again, at + 3, trace=name)
            self._handled(f"{name} again", again, at + 250, trace=name)
            for group in ("pay", "mail"):
                for one in (place, again):
                    shop.said(one, group, "duplicate")
            shop.commit("pay", again, at + 2000)

    def _sent(
        self,
        name: str,
        place: Place,
        at: float,
        trace: str | None = None,
        event: str | None = None,
        **more: Any,
    ) -> None:
        attributes = {"headwater.event.id": event} if event else {}
        in_trace = trace or name
        if trace is None:
            self._add(told.work("web", in_trace, "POST /orders", at, 5), span_name=f"{name} root")
        self._add(
            told.send(
                "web", in_trace, f"{name} send", place, at + 1, 2, f"{in_trace} root", attributes=attributes
            )
        )

    def _others(self, name: str, place: Place, at: float, trace: str | None = None) -> None:
        """What the group mail, and audit, which has no instrumentation, make of an order."""
        self._add(told.process("mail", trace or name, f"{name} mail", place, at + 40, 10, f"{name} send"))
        self.shop.said(place, "mail", "done")
        self.shop.said(place, "audit", "passed")
        for group in ("mail", "audit"):
            self.shop.commit(group, place, at + 60)

    def _pay(self, fate: str, name: str, place: Place, at: float) -> None:
        shop = self.shop
        state = {"tried_again": "done", "declared_again": "done", "handled_twice": "duplicate",
                 "sent_twice": "duplicate", "retried_to_death": "retried", "dead_by_hand": "dead_lettered",
                 "led_nowhere": "done"}.get(fate, fate)  # fmt: skip
        shop.said(place, "pay", state, no_successor=fate == "led_nowhere")
        if fate in ("done", "handled_twice", "sent_twice", "led_nowhere", "replayed", "declared_again"):
            self._handled(name, place, at + 100, successor=fate != "led_nowhere")
        elif fate != "skipped":
            self._handled(name, place, at + 100, error="GatewayTimeout", successor=False)
        if fate == "tried_again":
            self._handled(f"{name} second", place, at + 200, trace=name)
        elif fate == "handled_twice":
            self._handled(f"{name} second", place, at + 400, trace=name)
        elif fate == "declared_again":
            self._handled(f"{name} second", place, at + 400, trace=name, attempt=2)
        elif fate in ("retried", "retried_to_death"):
            self._retry(name, place, at + 150, fate == "retried_to_death")
        elif fate in ("dead_lettered", "dead_by_hand"):
            self._dead(name, place, place, at + 150, by_hand=fate == "dead_by_hand")
        elif fate == "replayed":
            self._replay(name, place, at + 1000)

    def _handled(
        self, name: str, place: Place, at: float, trace: str | None = None, error: str | None = None,
        successor: bool = True, attempt: int | None = None,
    ) -> None:  # fmt: skip
        in_trace = trace or name
        attributes = {"headwater.retry.attempt": attempt} if attempt else {}
        work = self._dice.uniform(5, 50)
        self._add(
            told.process(
                "pay",
                in_trace,
                f"{name} pay",
                place,
                at,
                work,
                f"{in_trace} send",
                error=error,
                attributes=attributes,
            )
        )
        if successor:
            paid = self.shop.place("payments", place[1])
            self._add(told.send("pay", in_trace, f"{name} paid", paid, at + 2, 1, f"{name} pay"))
            self._add(told.process("ship", in_trace, f"{name} ship", paid, at + 60, 5, f"{name} paid"))
            self.shop.said(paid, "ship", "done")
            self.shop.commit("ship", paid, at + 100)

    def _retry(self, name: str, place: Place, at: float, fails: bool) -> None:
        origin = {"headwater.origin": ":".join(map(str, place)), "headwater.origin.group": "pay"}
        retry = self.shop.place("orders-retry", 0)
        marks = origin | {"headwater.retry.origin": origin["headwater.origin"], "headwater.retry.attempt": 2}
        self._add(told.send("pay", name, f"{name} to retry", retry, at, 2, f"{name} pay", attributes=marks))
        self._add(
            told.process(
                "pay", name, f"{name} retry", retry, at + 500, 10, f"{name} to retry", group="pay-retry",
                attributes=marks, error="GatewayTimeout" if fails else None,
            )
        )  # fmt: skip
        self.shop.commit("pay-retry", retry, at + 600)
        self.shop.said(retry, "pay-retry", "dead_lettered" if fails else "done")
        if fails:
            self._dead(name, place, retry, at + 505)

    def _dead(self, name: str, origin: Place, of: Place, at: float, by_hand: bool = False) -> None:
        """A dead letter; one sent by hand leaves no span, and only the reader of dead letters knows it."""
        dead = self.shop.place("orders-dlq", 0)
        if not by_hand:
            marks = {
                "headwater.origin": ":".join(map(str, origin)), "headwater.origin.group": "pay",
                "headwater.dead_letter": True,
            }  # fmt: skip
            parent = f"{name} pay" if of == origin else f"{name} retry"
            self._add(told.send("pay", name, f"{name} give up", dead, at, 2, parent, attributes=marks))
        topic, partition, offset = dead
        self.shop.dead_letters.append(
            {"received_at": when(at + 1000), "cluster": "c1", "topic": topic, "partition": partition,
             "message_offset": offset, "record_time": when(at), "role": "dead_letter", "failure_group_id": "f",
             "origin_topic": origin[0], "origin_partition": origin[1], "origin_offset": origin[2],
             "origin_group": "pay"}
        )  # fmt: skip

    def _replay(self, name: str, place: Place, at: float) -> None:
        again = self.shop.place("orders", place[1])
        marks = {"headwater.origin": ":".join(map(str, place)), "headwater.origin.group": "pay"}
        self._add(
            told.send("operator", name, f"{name} again send", again, at, 2, f"{name} send", attributes=marks)
        )
        self._others(f"{name} again", again, at, trace=name)
        self._handled(f"{name} again", again, at + 100, trace=name)
        self.shop.said(again, "pay", "done")
        self.shop.commit("pay", again, at + 2000)

    def _imports(self, count: int) -> None:
        """Messages sent in transactions, each of which leaves a mark behind; some are aborted, some never read."""
        for number in range(count):
            name, at = self._name("import"), number * 200.0
            outcome = "aborted" if number % 9 == 4 else "committed"
            places = [self.shop.place("imports", 0) for _ in range(number % 3 + 1)]
            self.shop.place("imports", 0)
            marks = {"headwater.txn.id": "t", "headwater.txn.outcome": outcome}
            self._add(
                told.work("importer", name, "transaction", at, 20, attributes=marks), f"{name} transaction"
            )
            for place in places:
                sent = f"{name} {place[2]}"
                self._add(told.send("importer", name, sent, place, at + 1, 2, f"{name} transaction"))
                skipped = outcome == "committed" and number % 25 == 7 and place is places[0]
                state = "aborted" if outcome == "aborted" else "skipped" if skipped else "done"
                if state == "done":
                    self._add(told.process("load", name, f"{sent} load", place, at + 60, 10, sent))
                self.shop.said(place, "load", state)
                self.shop.commit("load", place, at + 100)

    def _clicks(self, count: int, quiet: float) -> None:
        """A group that has stopped, while retention goes on."""
        stopped, taken = count // 3, count * 2 // 3
        waits = True if stopped >= 200 else None  # below, nothing is learned of how long they may
        for number in range(count):
            name, at = self._name("click"), quiet - (count - number) * 50.0 - 50_000
            place = self.shop.place("clicks", 0)
            self._add(told.send("web", name, f"{name} send", place, at, 2))
            if number < stopped:
                self._add(told.process("count", name, f"{name} count", place, at + 20, 3, f"{name} send"))
                self.shop.commit("count", place, at + 50)
            state = "done" if number < stopped else "expired" if number < taken else "waiting"
            self.shop.said(place, "count", state, stuck=waits if state == "waiting" else False)
        self.shop.starts["clicks", 0] = [(quiet + 100_000, taken)]

    def _tail(self, quiet: float) -> None:
        """What is not through: partition 1 stands still since before the quiet, 0 and 2 are busy at the end."""
        end = self.shop.judged_ms = quiet + QUIET_MS
        self._unfinished(1, quiet, 3, held_since=quiet + 1000, stuck=True)
        self._unfinished(0, end - 500, 2, held_since=end - 20, stuck=False)
        passed = self.shop.place("orders", 2)
        name = self._name("order")
        self._sent(name, passed, end - 30_000)
        self._others(name, passed, end - 30_000)
        self.shop.said(passed, "pay", "unsettled")
        self.shop.commit("pay", passed, end - 25_000)
        self._unfinished(2, end - 300, 2, held_since=None, stuck=False)

    def _unfinished(
        self, partition: int, at: float, waiting: int, held_since: float | None, stuck: bool
    ) -> None:
        for number in range(waiting + (held_since is not None)):
            name, place = self._name("order"), self.shop.place("orders", partition)
            self._sent(name, place, at)
            self._others(name, place, at)
            held = held_since is not None and number == 0
            self.shop.said(place, "pay", "processing" if held else "waiting", stuck=stuck)
            if held and held_since is not None:
                self.shop.held.append(
                    {"sampled_at": when(self.shop.judged_ms - 2000), "service": "pay", "instance": "pay-1",
                     "topic": "orders", "partition": partition, "consumer_group": "pay",
                     "message_offset": place[2], "since": when(held_since)}
                )  # fmt: skip

    def _name(self, kind: str) -> str:
        self._made += 1
        return f"{kind} {self._made}"

    def _add(self, one: told.Told, span_name: str | None = None) -> None:
        if one[1].kind in (4, 5):  # as instrumentation names them; the ids keep the name of the story
            topic = next(
                each.value.string_value
                for each in one[1].attributes
                if each.key == "messaging.destination.name"
            )
            one[1].name = f"{'send' if one[1].kind == 4 else 'process'} {topic}"
        if span_name is not None:
            one[1].span_id = bytes.fromhex(told.span(span_name))
        self.shop.spans.append(one)


def sampled(spans: Iterable[told.Told], share: float) -> Iterator[told.Told]:
    """The spans of that share of the traces, chosen by their ids."""
    limit = int(share * 2**32)
    for service, span in spans:
        if int.from_bytes(hashlib.md5(span.trace_id).digest()[:4], "big") < limit:
            yield service, span


def store(shop: Shop, into: Store, spans: Iterable[told.Told] | None = None, flush: int = 20_000) -> None:
    """Stores the spans through the decoder, as a door does, and what a poller would have seen."""
    together = list(shop.spans if spans is None else spans)
    together.sort(key=lambda one: one[1].end_time_unix_nano)
    for number, first in enumerate(range(0, len(together), flush)):
        some = together[first : first + flush]
        batch = told.batch_of(some, some[-1][1].end_time_unix_nano + 1_000_000_000)
        into.write(lambda writer, b=batch, n=number: append_spans(writer, b, LogPosition(1, n)))  # type: ignore[misc]
    into.write(lambda writer: _polls(shop, writer))


def _polls(shop: Shop, writer: Writer) -> None:
    polls = [at * POLL_MS for at in range(int(shop.judged_ms // POLL_MS))] + [shop.judged_ms]
    commits, now, offsets = [], [], []
    for (topic, partition), end in shop.ends.items():
        starts = dict(_over_time(shop.starts.get((topic, partition), []), polls))
        offsets += [
            {"sampled_at": when(at), "cluster": "c1", "topic": topic, "incarnation": 1, "partition": partition,
             "log_start": starts[at] or 0, "end_offset": end, "stable_offset": end}
            for at in polls
        ]  # fmt: skip
    for (group, topic, partition), moves in shop.commits.items():
        key = {
            "cluster": "c1",
            "consumer_group": group,
            "topic": topic,
            "incarnation": 1,
            "partition": partition,
        }
        places = _over_time(moves, polls)
        commits += [
            key | {"sampled_at": when(at), "committed": place} for at, place in places if place is not None
        ]
        start = shop.starts.get((topic, partition), [(0.0, 0)])[-1][1]
        now.append(
            key | {"sampled_at": when(shop.judged_ms), "committed": places[-1][1], "log_start": start,
                   "end_offset": shop.ends[topic, partition]}
        )  # fmt: skip
    held = [{**row, "sampled_at": when(shop.judged_ms - 2000)} for row in shop.held]
    tables: Mapping[str, list[dict[str, Any]]] = {
        "offset_samples": offsets, "commit_samples": commits, "lag_now": now,
        "dead_letter_rows": shop.dead_letters, "held_rows": held,
        "reporter_rows": [{"sampled_at": when(shop.judged_ms - 2000), "before_at": when(shop.judged_ms - 12_000),
                           "service": "pay", "instance": "pay-1"}],
    }  # fmt: skip
    for table, rows in tables.items():
        writer.append(table, rows)


def _over_time(moves: list[tuple[float, int]], polls: list[float]) -> list[tuple[float, int | None]]:
    """The highest place reached by each poll."""
    ordered, found, reached, at = sorted(moves), [], None, 0
    for poll in polls:
        while at < len(ordered) and ordered[at][0] <= poll:
            reached = max(reached or 0, ordered[at][1])
            at += 1
        found.append((poll, reached))
    return found
