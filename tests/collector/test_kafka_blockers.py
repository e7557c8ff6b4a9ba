"""Against a real broker and a real collector: whatever blocks a group is named with offset, message, span, error."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

import api_helpers as api
from builders import a_process, a_request, a_send, a_span, a_span_id, a_trace_id, attributes_of
from collector_process import CollectorProcess, a_collector
from kafka_harness import KafkaBroker
from kafka_watching import client_options, member, produce

pytestmark = pytest.mark.kafka

DYING = """
import sys, time
from confluent_kafka import Consumer, TopicPartition
consumer = Consumer({"bootstrap.servers": sys.argv[1], "group.id": "dead-group", "client.id": "dead-worker",
                     "session.timeout.ms": 60000, "enable.auto.commit": False, "log_level": 0})
consumer.subscribe([sys.argv[2]])
while not consumer.assignment():
    consumer.poll(0.05)
for line in sys.stdin:
    consumer.commit(offsets=[TopicPartition(sys.argv[2], 0, int(line))], asynchronous=False)
    print(int(line), flush=True)
"""


class Dying:
    """A consumer in a process of its own, which commits what it is told until it is killed."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        words = [sys.executable, "-c", DYING, bootstrap, topic]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def commit(self, offset: int) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{offset}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline().strip() == str(offset)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def dying(bootstrap: str, topic: str) -> Iterator[Dying]:
    made = Dying(bootstrap, topic)
    try:
        yield made
    finally:
        made.kill()


def poison(cluster: str, topic: str, offset: int) -> bytes:
    """A message whose four deliveries each fail in a call to the gateway."""
    trace, sent, now = a_trace_id(), a_span_id(), time.time_ns()
    shop = a_send(topic, 0, offset, cluster=cluster, trace_id=trace, span_id=sent, start_ns=now - 50 * 10**9)
    spans = []
    for number in range(4):
        at, tried = now - (40 - 10 * number) * 10**9, a_span_id()
        failed = {"parent": sent, "error": "boom", "attributes": {"error.type": "CardGatewayTimeout"}}
        spans.append(a_process(topic, 0, offset, "poison-group", cluster=cluster, trace_id=trace,
                               span_id=tried, start_ns=at, ms=3010, **failed))  # fmt: skip
        call = {"server.address": "gateway", "server.port": 443, "url.full": "https://gateway/charge?card=1"}
        call |= {"http.request.method": "POST", "error.type": "CardGatewayTimeout"}
        spans.append(a_span("POST", trace_id=trace, parent=tried, kind="client", start_ns=at, ms=3000,
                            error="timeout", attributes=call))  # fmt: skip
    request = a_request(shop, service="checkout")
    for one in spans:
        request.resource_spans.append(a_request(one, service="payments").resource_spans[0])
    return bytes(request.SerializeToString())


def hung(cluster: str, topic: str, offset: int) -> tuple[bytes, bytes]:
    """A message that is in flight for 90 s, in a handling whose first call took 1.2 s; and the report of it."""
    trace, now = a_trace_id(), time.time_ns()
    request = a_request(a_send(topic, 0, offset, cluster=cluster, trace_id=trace), service="checkout")
    call = a_span("query", trace_id=trace, parent=a_span_id(), kind="client", start_ns=now - 89 * 10**9, ms=1200,
                  attributes={"db.system.name": "postgresql", "db.namespace": "stock",
                              "db.operation.name": "SELECT", "server.address": "db-1"})  # fmt: skip
    request.resource_spans.append(a_request(call, service="inventory").resource_spans[0])
    report = ExportMetricsServiceRequest()
    of_resource = report.resource_metrics.add()
    named = {"service.name": "inventory", "service.instance.id": "i-1"}
    of_resource.resource.attributes.extend(attributes_of(named))
    metrics = of_resource.scope_metrics.add().metrics
    said = {"messaging.destination.name": topic, "messaging.destination.partition.id": "0",
            "messaging.consumer.group.name": "hung-group"}  # fmt: skip
    for name, value in (
        ("headwater.inflight.offset", float(offset)),
        ("headwater.inflight.since", now / 1e9 - 90),
    ):
        point = metrics.add(name=name).gauge.data_points.add(time_unix_nano=now, as_double=value)
        point.attributes.extend(attributes_of(said))
    return request.SerializeToString(), report.SerializeToString()


def polled(collector: CollectorProcess, times: int = 2) -> None:
    """Waits for polls that began after now."""
    [[before]] = collector.sql("select count(distinct sampled_at) from offset_samples")
    counted = f"select count(distinct sampled_at) >= {before + times} from offset_samples"
    collector.wait_for(counted, True, seconds=60)


@dataclass(frozen=True)
class Watched:
    """A collector that watches four groups, and the producer that has left a transaction open."""

    collector: CollectorProcess
    producer: Producer

    @property
    def where(self) -> tuple[str, str]:
        return "--collector", f"http://{self.collector.addresses['api']}"

    def blocker(self, group: str) -> dict[str, Any]:
        done = api.headwater("blockers", "--group", group, "--json", *self.where)
        assert done.returncode == 0, done.stderr.decode()
        [found] = json.loads(done.stdout)
        return dict(found)


@pytest.fixture(scope="module")
def asked(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A collector that watches four groups, each blocked by something else."""
    topics = {name: kafka.create_topic(f"blk-{name}", 1) for name in ("poison", "hung", "dead", "open")}
    for topic in topics.values():
        produce(kafka.bootstrap, topic, ["x"] * 4)
    data = tmp_path_factory.mktemp("blockers")
    with contextlib.ExitStack() as stack:
        readers: dict[str, Consumer] = {
            name: stack.enter_context(member(kafka.bootstrap, f"{name}-group", topics[name], 1))
            for name in ("poison", "hung", "open")
        }
        dead = stack.enter_context(dying(kafka.bootstrap, topics["dead"]))
        collector = stack.enter_context(a_collector(data, f"--kafka=main={kafka.bootstrap}", "--poll=0.3"))
        collector.wait_for("select state from clusters", "up", seconds=60)
        for offset in range(5):  # their habit: a commit now and then
            for name, reader in readers.items():
                reader.commit(offsets=[TopicPartition(topics[name], 0, offset)], asynchronous=False)
            dead.commit(offset)
            polled(collector, 1)
        dead.kill()
        producer = Producer(client_options(kafka.bootstrap, **{"transactional.id": "blk"}))
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.produce(topics["open"], b"held", partition=0)
        producer.flush(20)
        for topic in topics.values():
            produce(kafka.bootstrap, topic, ["behind"] * 6)
        [[cluster]] = collector.sql("select cluster from clusters")
        begun = a_send(topics["open"], 0, 4, cluster=cluster)
        for spans in (poison(cluster, topics["poison"], 4), hung(cluster, topics["hung"], 4)[0],
                      a_request(begun, service="ledger").SerializeToString()):  # fmt: skip
            assert collector.send(spans).status == 200
        assert collector.send(hung(cluster, topics["hung"], 4)[1], signal="metrics").status == 200
        judged = "select count(*) from blockers where topic like 'blk-%' and status in ('blocked', 'frozen', 'stalled')"
        collector.wait_for(judged, 4, seconds=90)
        yield Watched(collector, producer)


def test_a_poison_message_is_named_with_its_span_and_error(asked: Watched) -> None:
    found = asked.blocker("poison-group")
    chain, call = found["chain"], found["culprit"]
    assert (chain["status"], chain["message_offset"], chain["assumed"]) == ("blocked", 4, False)
    assert "offset 4 was begun 4 times" in chain["evidence"]
    assert (chain["sent_by"], chain["deliveries"], chain["failures"]) == ("checkout", 4, 4)
    assert (call["service"], call["what"], call["failed"]) == ("payments", "POST gateway:443/charge", True)
    start = "blk-poison/0: poison-group is on offset 4 for "
    assert found["verdict"].startswith(start)
    end = ", attempt 4; each fails with CardGatewayTimeout in POST gateway:443/charge (p50 3.00 s). "
    assert found["verdict"].endswith(f"{end}5 messages wait behind it.")
    assert found["missing"] is None


def test_a_call_that_hangs_is_named_by_what_the_handler_reports(asked: Watched) -> None:
    found = asked.blocker("hung-group")
    chain = found["chain"]
    assert (chain["status"], chain["message_offset"], chain["service"]) == ("blocked", 4, "inventory")
    assert "inventory has had offset 4 in flight for 1 min" in chain["evidence"]
    assert chain["held_seconds"] > 60
    assert (
        "inventory has it in flight, its longest call so far is in SELECT postgresql stock at db-1 (p50 1.20 s)"
        in (found["verdict"])
    )


def test_a_dead_process_that_has_the_partition_is_named_as_far_as_anything_tells(
    asked: Watched,
) -> None:
    found = asked.blocker("dead-group")
    chain = found["chain"]
    assert (chain["status"], chain["message_offset"], chain["assumed"]) == ("stalled", 4, True)
    assert found["verdict"].startswith(
        "blk-dead/0: dead-group is on offset 4 (assumed: the committed offset) for "
    )
    assert (
        "dead-worker has the partition and says nothing of this message. 5 messages wait" in found["verdict"]
    )
    assert found["missing"].startswith("No delivery and no in-flight report names this message")


def test_an_open_transaction_is_named_with_who_began_it(asked: Watched) -> None:
    found = asked.blocker("open-group")
    chain = found["chain"]
    assert (chain["status"], chain["message_offset"], chain["sent_by"]) == ("frozen", 4, "ledger")
    assert "an open transaction at offset 4 has held back 7 offsets for " in chain["evidence"]
    assert "open-group is held up at offset 4 by an open transaction of ledger for " in found["verdict"]


def test_people_read_the_chain_link_by_link(asked: Watched) -> None:
    done = api.headwater("blockers", "--group", "poison-group", *asked.where, environ={"COLUMNS": "80"})
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith("✗ blocked  blk-poison/0: poison-group is on offset 4 for ")
    assert [line.split()[0] for line in lines[1:]] == ["verdict", "message", "deliveries", "call", "look"]
    assert lines[-1].split("  ")[-1].strip() == "headwater flow blk-poison@0:4"
    nobody = api.headwater("blockers", "--group", "nobody", *asked.where)
    assert nobody.stderr.decode().startswith("No group is named 'nobody'; there are ")


def test_a_transaction_that_ends_thaws_its_readers(asked: Watched) -> None:
    asked.producer.abort_transaction(30)
    asked.collector.wait_for(
        "select count(*) from lag where topic = 'blk-open' and status = 'frozen'", 0, seconds=60
    )
