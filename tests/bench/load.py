"""The load of the benchmarks: the same requests for the same seed, and senders that replay them."""

from __future__ import annotations

import http.client
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from builders import attributes_of

MARK = b"\xfe\xed\xfa\xce"
"""First bytes of every id, replaced a request, so that each request brings ids of its own."""
OFFSET_MARK = bytes((0xD5, 0xD3, 0xE7, 0x39))
"""The upper 28 bits of every offset, as protobuf writes them; replaced likewise, so that no message comes twice."""
_OFFSET_UPPER = sum((byte & 0x7F) << 7 * at for at, byte in enumerate(OFFSET_MARK))
SERVICES = ("checkout", "orders", "payments", "inventory", "shipping", "mail")
TRACES_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def bodies(count: int, spans: int, seed: int, now_ns: int) -> list[bytes]:
    """`count` requests of `spans` spans: 4 resources of 8 attributes, 10 attributes a span, traces of 8."""
    dice = random.Random(seed)
    return [_request(spans, dice, now_ns).SerializeToString() for _ in range(count)]


def _request(spans: int, dice: random.Random, now_ns: int) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    left = spans
    while left > 0:
        service = dice.choice(SERVICES)
        of_resource = request.resource_spans.add()
        of_resource.resource.attributes.extend(
            attributes_of(
                {
                    "service.name": service,
                    "service.version": "1.4.2",
                    "service.instance.id": f"{service}-{dice.randrange(3)}",
                    "telemetry.sdk.language": "python",
                    "telemetry.sdk.name": "opentelemetry",
                    "telemetry.sdk.version": "1.45.1",
                    "deployment.environment.name": "prod",
                    "host.name": f"node-{dice.randrange(20)}",
                }
            )
        )
        of_scope = of_resource.scope_spans.add()
        of_scope.scope.name = "shop"
        number = min(left, max(1, spans // 4))
        left -= number
        while number > 0:
            trace = MARK + dice.randbytes(12)
            length = min(number, 8)
            number -= length
            parent = b""
            for position in range(length):
                span = _span(dice, service, position, now_ns)
                span.trace_id, span.parent_span_id = trace, parent
                parent = span.span_id if position < 3 else parent
                of_scope.spans.append(span)
    return request


def _span(dice: random.Random, service: str, position: int, now_ns: int) -> Span:
    start = now_ns - dice.randrange(2_000_000_000)
    span = Span(
        span_id=MARK + dice.randbytes(4),
        start_time_unix_nano=start,
        end_time_unix_nano=start + dice.randrange(200_000_000),
    )
    if position % 2:
        span.name, span.kind = "process orders", Span.SPAN_KIND_CONSUMER
        attributes: dict[str, object] = {
            "messaging.system": "kafka",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": "orders",
            "messaging.destination.partition.id": str(dice.randrange(12)),
            "messaging.kafka.offset": _OFFSET_UPPER << 21 | dice.randrange(2**21),
            "messaging.consumer.group.name": service,
            "messaging.client.id": f"{service}-1",
            "server.address": "kafka-1.prod",
            "server.port": 9092,
        }
    else:
        span.name, span.kind = "POST /orders/{id}", Span.SPAN_KIND_SERVER
        attributes = {
            "http.request.method": "POST",
            "http.route": "/orders/{id}",
            "http.response.status_code": 200,
            "url.path": f"/orders/{dice.randrange(10**6)}",
            "url.scheme": "https",
            "server.address": "shop.example",
            "network.protocol.version": "1.1",
            "client.address": f"10.1.{dice.randrange(256)}.{dice.randrange(256)}",
            "user.id": f"{dice.getrandbits(64):016x}",
            "http.server.duration": dice.random(),
        }
    span.attributes.extend(attributes_of(attributes))
    if position == 7:
        span.links.add(trace_id=dice.randbytes(16), span_id=dice.randbytes(8))
    if position == 5:
        span.events.add(time_unix_nano=start, name="retry", attributes=attributes_of({"attempt": 2}))
    return span


@dataclass
class Sent:
    """What came of a replay."""

    acknowledged: int = 0
    refused: int = 0
    seconds: float = 0.0
    acks: list[float] = field(default_factory=list)
    """Seconds from request to acknowledgement."""

    def quantile(self, q: float) -> float:
        """Milliseconds."""
        ordered = sorted(self.acks)
        return ordered[min(int(len(ordered) * q), len(ordered) - 1)] * 1e3 if ordered else 0.0


def replay(
    make: Callable[[], Callable[[bytes], bool]],
    requests: Iterator[bytes],
    connections: int,
    spans: int,
    rate: float | None = None,
) -> Sent:
    """Send all requests over so many connections, each waiting for its answer; `make` opens one.

    With `rate`, at most so many spans a second.
    """
    sent, lock, numbers = Sent(), threading.Lock(), itertools.count()

    def work() -> None:
        send = make()
        while True:
            with lock:
                body, number = next(requests, None), next(numbers)
            if body is None:
                return
            if rate is not None:
                time.sleep(max(0.0, first + number * spans / rate - time.perf_counter()))
            began = time.perf_counter()
            taken = send(body)
            took = time.perf_counter() - began
            with lock:
                sent.acks.append(took)
                sent.acknowledged += spans if taken else 0
                sent.refused += not taken

    threads = [threading.Thread(target=work) for _ in range(connections)]
    first = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent.seconds = time.perf_counter() - first
    return sent


def numbered(bodies: list[bytes], count: int) -> Iterator[bytes]:
    """`count` requests out of the bodies, each with ids of its own."""
    return (with_number(bodies[number % len(bodies)], number) for number in range(count))


def with_number(body: bytes, number: int) -> bytes:
    """A body with ids of its own: the first 4 bytes of each are the number."""
    upper = bytes(number >> 7 * at & 0x7F | 0x80 for at in range(3)) + b"\x01"
    return body.replace(MARK, number.to_bytes(4, "big")).replace(OFFSET_MARK, upper)


def over_http(address: str) -> Callable[[], Callable[[bytes], bool]]:
    """Sends protobuf over HTTP."""

    def make() -> Callable[[bytes], bool]:
        connection = http.client.HTTPConnection(address, timeout=60)

        def send(body: bytes) -> bool:
            connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
            answer = connection.getresponse()
            answer.read()
            return answer.status == 200

        return send

    return make


def over_grpc(address: str) -> Callable[[], Callable[[bytes], bool]]:
    """Sends over gRPC."""

    def make() -> Callable[[bytes], bool]:
        channel = grpc.insecure_channel(address, options=[("grpc.max_send_message_length", -1)])
        export = channel.unary_unary(TRACES_EXPORT)

        def send(body: bytes) -> bool:
            try:
                export(body, timeout=60)
            except grpc.RpcError:
                return False
            return True

        return send

    return make
