"""Which decoder reads the spans: protobuf's from the start, the fast one as soon as its compiled code is there."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from headwater_collector.records import RequestSeen, SpanBatch

from .columns import RecentIds
from .fast.compile import READY, load
from .otlp_decode import Decoder, RawRequest
from .otlp_wire import check_framing

if TYPE_CHECKING:
    from .fast.decoder import FastDecoder

_ROOM = Path(__file__).parent
_OTHERS_KEPT = 3
"""Folders of other versions or processors that share the cache; what is older goes."""
_NOT_COMPILED = ("__init__.py", "compile.py", "decoder.py", "tables.py")


class Decoding(Protocol):
    """What the pipeline needs of a decoder."""

    @property
    def name(self) -> str:
        """fast or protobuf"""

    def decode(
        self, requests: Sequence[RawRequest], seen: Sequence[RequestSeen] = ()
    ) -> tuple[SpanBatch, Counter[str]]:
        """Columns of all requests, and what had to be repaired in them, counted by a word."""

    def forget(self) -> None:
        """Forget the span ids: those of a batch that was not stored come again."""


class SwitchingDecoder:
    """Protobuf's decoder until the fast one is ready. Construct without I/O; `start` once, `stop` once."""

    def __init__(self, cache: Path, wanted: str = "fast") -> None:
        self._cache = cache
        self._wanted = wanted
        self._protobuf = Decoder()
        self._current: Decoding = self._protobuf
        self._ready: FastDecoder | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self._lock = threading.Lock()
        self._parts = contextlib.ExitStack()
        self._thread: threading.Thread | None = None
        self.remark = ""
        """One sentence that says how spans are read, and why."""

    @property
    def name(self) -> str:
        """Which one has read the last batch."""
        return self._current.name

    @property
    def ready(self) -> bool:
        """Whether the next batch is read by the fast one."""
        return self._ready is not None

    def start(self) -> None:
        """See what there is, and get the rest beside the work."""
        reason, key = "", ""
        try:
            key = _key()
        except PackageNotFoundError as error:
            reason = f"{error.name} is not installed"
        if self._wanted != "fast":
            reason = f"--decoder is {self._wanted}"
        elif sys.byteorder != "little":
            reason = "the fast path is written for processors of the other byte order"
        if reason:
            self._keep_protobuf(reason)
            return
        folder = self._cache / "compiled" / key
        if not _is_writable(folder):
            folder = Path(self._parts.enter_context(_temporary_folder()))
        if (folder / READY).exists():
            self.remark = "Spans are read by compiled code."
        else:
            self.remark = (
                "Spans are read by protobuf while the faster code for this machine is compiled, "
                + ("once." if folder.is_relative_to(self._cache) else f"since {self._cache} is not writable.")
            )
        self._thread = threading.Thread(target=self._prepare, args=(folder,), name="decoder", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Leave nothing running."""
        with self._lock:
            self._stopping = True
            if self._child is not None:
                self._child.terminate()
        if self._thread is not None:
            self._thread.join()
        self._parts.close()

    def decode(
        self, requests: Sequence[RawRequest], seen: Sequence[RequestSeen] = ()
    ) -> tuple[SpanBatch, Counter[str]]:
        """By the one that is there."""
        if self._ready is not None and self._current is self._protobuf:
            if isinstance(self._protobuf.recent, RecentIds):
                self._ready.adopt(self._protobuf.recent)
            self._current = self._ready
        return self._current.decode(requests, seen)

    def count(self, body: bytes) -> int:
        """How many spans a request frames, from any thread; raises Malformed."""
        found = None if self._ready is None else self._ready.count(body)
        return check_framing(body) if found is None else found

    def forget(self) -> None:
        """Forget the span ids."""
        self._current.forget()

    def _prepare(self, folder: Path) -> None:
        try:
            if not (folder / READY).exists():
                self._compile(folder)
            if not self._stopping:
                ready = load(folder)
                gc.freeze()  # the compiler's many objects stay: looking through them would cost each batch
                self._ready = ready
                self.remark = "Spans are read by compiled code."
        except Exception as error:  # whatever numba or the linker may raise, spans are read
            if not self._stopping:
                self._keep_protobuf(str(error) or type(error).__name__)

    def _compile(self, folder: Path) -> None:
        command = [sys.executable, "-m", "headwater_collector.receivers.fast.compile", str(folder)]
        with self._lock:
            if self._stopping:
                return
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
        with self._child as child:
            _, said = child.communicate()
        if child.returncode:
            lines = said.decode(errors="replace").strip().splitlines()
            raise RuntimeError(lines[-1] if lines else f"the compiler ended with {child.returncode}")

        others = [other for other in folder.parent.iterdir() if other != folder]
        others.sort(key=lambda other: other.stat().st_mtime, reverse=True)
        for other in others[_OTHERS_KEPT:]:
            shutil.rmtree(other, ignore_errors=True)

    def _keep_protobuf(self, reason: str) -> None:
        self.remark = f"Spans are read by protobuf, at a tenth of the speed: {reason.rstrip('.')}."


def compiled_decoder(cache: Path) -> FastDecoder:
    """The fast decoder at once, compiled in this process where the cache does not have it."""
    folder = cache / "compiled" / _key()
    folder.mkdir(parents=True, exist_ok=True)
    decoder = load(folder)
    (folder / READY).touch()
    return decoder


def _key() -> str:
    """The same for the same code, compiler and processor. Raises PackageNotFoundError."""
    parts = [version("numba"), version("llvmlite"), version("numpy"), sys.version, _processor()]
    files = {*_ROOM.glob("fast/*.py"), _ROOM / "attributes.py", _ROOM / "columns.py"}
    for path in sorted(files - {_ROOM / "fast" / name for name in _NOT_COMPILED}):
        # The compiler's own cache looks at the time of change, so a copy of other age is another one.
        parts += [str(path), str(path.stat().st_mtime_ns), path.read_text(encoding="utf-8")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def _processor() -> str:
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        said = {line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))}
        return platform.machine() + "".join(sorted(said))
    return platform.machine() + platform.processor()


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def _temporary_folder() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="headwater-compiled-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
