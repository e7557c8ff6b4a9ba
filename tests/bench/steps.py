"""Where the time goes between a request and a check-pointed row: `python -m tests.bench.steps`.

CPU microseconds a span of each step, for both decoders, in one process and without the doors; the store's steps once
without and once with the summaries kept ready for questions, a row group a commit. What the compiled decoder does in
one pass is told apart by leaving things out: doubles first, then all attributes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

# pytest puts the tests' helpers on the path; a benchmark is run without it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest  # noqa: E402

from bench.load import bodies, numbered  # noqa: E402
from collector_process import CACHE  # noqa: E402
from headwater_collector.log import AppendLog  # noqa: E402
from headwater_collector.log_segment import LogRecord  # noqa: E402
from headwater_collector.receivers.decoding import Decoding, compiled_decoder  # noqa: E402
from headwater_collector.receivers.otlp_decode import Decoder, RawRequest  # noqa: E402
from headwater_collector.receivers.otlp_wire import check_framing  # noqa: E402
from headwater_collector.records import LogPosition, SpanBatch  # noqa: E402
from headwater_collector.store import (  # noqa: E402
    Store,
    append_spans,
    keeper,  # noqa: E402
)
from headwater_collector.store import append as append_module  # noqa: E402

SPANS = 512
ROW_GROUP = 240
"""Requests of a commit when the collector is behind."""


class Steps:
    """CPU seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def step(self, name: str) -> Any:
        began = time.process_time()
        yield
        self.seconds[name] += time.process_time() - began


def without(body: bytes, unwanted: Callable[[Any], bool]) -> bytes:
    """A request without some of its attributes."""
    request = ExportTraceServiceRequest.FromString(body)
    for of_resource in request.resource_spans:
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                kept = [each for each in span.attributes if not unwanted(each)]
                del span.attributes[:]
                span.attributes.extend(kept)
    found: bytes = request.SerializeToString()
    return found


def decode_microseconds(decoder: Decoding, requests: Sequence[bytes], now: int) -> float:
    """The quickest of several rounds, a span."""
    raws = [RawRequest(now, 1, body) for body in requests]
    best = 1e9
    for _ in range(7):
        decoder.forget()
        began = time.process_time()
        decoder.decode(raws)
        best = min(best, time.process_time() - began)
    return best * 1e6 / len(raws) / SPANS


def decoding(decoder: Decoding, requests: Sequence[bytes], now: int) -> dict[str, float]:
    """Microseconds a span: all but attributes, attributes but doubles, doubles."""
    whole = decode_microseconds(decoder, requests, now)
    no_doubles = [without(body, lambda each: each.value.HasField("double_value")) for body in requests]
    no_attributes = [without(body, lambda each: True) for body in requests]
    plain = decode_microseconds(decoder, no_doubles, now)
    bare = decode_microseconds(decoder, no_attributes, now)
    return {"scan": bare, "JSON": plain - bare, "doubles": whole - plain}


def storing(batches: Sequence[SpanBatch], summaries: bool) -> tuple[dict[str, float], int]:
    """Seconds of insert, summaries and check-point; bytes of the file.

    A first round over the same rows is not counted: a process's first statements cost more.
    """
    keep, module, steps = keeper.keep, cast(Any, append_module), Steps()

    def timed(writer: Any, batch: SpanBatch) -> None:
        with steps.step("summaries"):
            keep(writer, batch)

    for _ in range(2):
        steps.seconds.clear()
        with tempfile.TemporaryDirectory(prefix="headwater-steps-") as folder:
            store = Store.open(Path(folder) / "headwater.duckdb")
            module.keep = timed
            try:
                for batch in batches:
                    with steps.step("insert"):
                        store.write(
                            partial(
                                append_spans, batch=batch, position=LogPosition(1, 1), summaries=summaries
                            )
                        )
                with steps.step("checkpoint"):
                    store.checkpoint()
            finally:
                module.keep = keep
                store.close()
            size = (Path(folder) / "headwater.duckdb").stat().st_size
    found = {step: steps.seconds[step] for step in ("insert", "summaries", "checkpoint")}
    found["insert"] -= found["summaries"]
    return found, size


def logging(steps: Steps, requests: Sequence[bytes], now: int) -> None:
    """Append and make durable."""
    with tempfile.TemporaryDirectory(prefix="headwater-steps-") as folder:
        log = AppendLog(Path(folder))
        log.open(LogPosition(0, 0))
        left = threading.Semaphore(0)
        with steps.step("log"):
            for body in requests:
                log.append(LogRecord(1, now, body), lambda error: left.release())
            for _ in requests:
                left.acquire()
        log.close()
        log.close_reader()


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=2 * ROW_GROUP, help="in whole row groups")
    parser.add_argument("--decoder", choices=("fast", "protobuf", "both"), default="both")
    given = parser.parse_args()
    now = time.time_ns()
    requests = list(numbered(bodies(40, SPANS, 1, now), given.requests))
    spans = len(requests) * SPANS
    steps = Steps()
    logging(steps, requests, now)
    decoder = compiled_decoder(CACHE)
    decoder.forget()
    raws = [RawRequest(now, 1, body) for body in requests]
    batches = [decoder.decode(raws[at : at + ROW_GROUP])[0] for at in range(0, len(raws), ROW_GROUP)]
    stored = {kept: storing(batches, kept == "with") for kept in ("without", "with")}
    decoders: dict[str, Decoding] = {"fast": decoder, "protobuf": Decoder()}
    wire = sum(map(len, requests)) / spans
    sizes = ", ".join(f"{size / spans:.0f} B {kept} summaries" for kept, (_, size) in stored.items())
    sys.stdout.write(f"{spans:,} spans, {wire:.0f} B on the wire, stored {sizes}; µs of CPU a span\n")
    for name in decoders if given.decoder == "both" else (given.decoder,):
        steps.seconds["door's check"] = 0.0
        with steps.step("door's check"):
            for body in requests:
                decoder.count(body) if name == "fast" else check_framing(body)
        found = {step: steps.seconds[step] * 1e6 / spans for step in ("door's check", "log")}
        found |= decoding(decoders[name], requests[:40], now)
        for kept, (seconds, _) in stored.items():
            row = found | {step: second * 1e6 / spans for step, second in seconds.items()}
            row["all"] = sum(row.values())
            columns = "  ".join(f"{step} {microseconds:.2f}" for step, microseconds in row.items())
            sys.stdout.write(f"{name:9} {kept:8} {columns}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
