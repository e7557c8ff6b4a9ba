"""Which decoder reads the spans, and that none of what can go wrong with the faster one keeps a collector down."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from builders import a_request, a_span
from collector_process import CACHE, a_collector
from headwater_collector.receivers import decoding
from headwater_collector.receivers.decoding import SwitchingDecoder
from headwater_collector.receivers.otlp_decode import Kind, RawRequest

if TYPE_CHECKING:
    from headwater_collector.receivers.fast.decoder import FastDecoder


def wait(done: Callable[[], bool], seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until
        time.sleep(0.05)


def read(decoder: SwitchingDecoder, *spans: Any) -> list[list[str] | None]:
    """Marks of the spans."""
    body = a_request(*spans).SerializeToString()
    found: list[list[str] | None] = (
        decoder.decode([RawRequest(time.time_ns(), Kind.HTTP_PROTOBUF, body)])[0].spans["marks"].to_pylist()
    )
    return found


def test_it_switches_when_the_code_is_there_and_knows_the_spans_of_before(fast: FastDecoder) -> None:
    decoder = SwitchingDecoder(CACHE)
    before, after = a_span(), a_span()
    assert read(decoder, before) == [None]
    assert decoder.name == "protobuf"
    decoder.start()
    try:
        assert "compiled code" in decoder.remark
        wait(lambda: decoder.ready)
        assert read(decoder, before, after) == [["repeated_id"], None]
        assert decoder.name == "fast"
        decoder.forget()
        assert read(decoder, before) == [None]
    finally:
        decoder.stop()


def test_protobuf_where_it_is_asked_for(tmp_path: Path) -> None:
    decoder = SwitchingDecoder(tmp_path, "protobuf")
    decoder.start()
    assert "--decoder is protobuf" in decoder.remark
    assert read(decoder, a_span()) == [None]
    decoder.stop()
    assert list(tmp_path.iterdir()) == []


def test_protobuf_where_numba_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(decoding, "version", version)
    decoder = SwitchingDecoder(tmp_path)
    decoder.start()
    assert decoder.remark == "Spans are read by protobuf, at a tenth of the speed: numba is not installed."
    assert read(decoder, a_span()) == [None]
    decoder.stop()


def test_protobuf_where_compiling_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Fails(subprocess.Popen[bytes]):
        def __init__(self, command: list[str], **more: Any) -> None:
            super().__init__([sys.executable, "-c", "raise SystemExit('no such processor')"], **more)

    monkeypatch.setattr(subprocess, "Popen", Fails)
    decoder = SwitchingDecoder(tmp_path)
    decoder.start()
    wait(lambda: decoder.remark.endswith("no such processor."))
    assert read(decoder, a_span()) == [None]
    assert decoder.name == "protobuf"
    decoder.stop()


def test_stopping_ends_the_compiler(tmp_path: Path) -> None:
    decoder = SwitchingDecoder(tmp_path)
    decoder.start()
    wait(lambda: decoder._child is not None)
    child = decoder._child
    assert child is not None
    decoder.stop()
    assert child.returncode is not None
    assert not list(tmp_path.rglob("ready"))


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    decoder = SwitchingDecoder(tmp_path / "file" / "below")
    decoder.start()
    assert "is not writable" in decoder.remark
    assert read(decoder, a_span()) == [None]
    decoder.stop()


def test_one_compiler_at_a_time_and_what_another_compiled_is_taken(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "headwater_collector.receivers.fast.compile", str(tmp_path)]
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = subprocess.Popen(command)
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(2)
        (tmp_path / "ready").touch()
    assert second.wait(60) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"lock", "ready"}


def test_a_collector_with_a_warm_cache_reads_by_compiled_code(fast: FastDecoder, tmp_path: Path) -> None:
    with a_collector(tmp_path) as collector:

        def switched() -> bool:
            collector.send(a_request(a_span()).SerializeToString())
            return bool(collector.health()["decoder"] == "fast")

        wait(switched)
    assert collector.process.stdout is not None


def test_a_collector_told_so_reads_by_protobuf(tmp_path: Path) -> None:
    with a_collector(tmp_path, "--decoder=protobuf") as collector:
        collector.send(a_request(a_span("one")).SerializeToString())
        collector.wait_for("select count(*) from spans", 1)
        assert collector.health()["decoder"] == "protobuf"
