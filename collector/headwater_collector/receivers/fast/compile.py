"""`python -m headwater_collector.receivers.fast.compile FOLDER`: fill a cache, in a process of its own.

Compiling takes half a minute of a processor and holds the interpreter: a collector has this done beside it.
"""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .decoder import FastDecoder

READY = "ready"
"""A file of this name says that the folder holds everything."""


def load(folder: Path) -> FastDecoder:
    """The fast decoder with its compiled code from a folder, which is filled where it is empty."""
    import numba

    numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
    from .decoder import FastDecoder, practise

    decoder = FastDecoder()
    practise(decoder)
    return decoder


def main(folder: Path) -> None:
    """Fills the folder unless it is full. One process at a time: a collector that is started again and again while it
    compiles would otherwise leave more and more of them behind."""
    os.nice(5)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / READY).exists():
            load(folder)
            (folder / READY).touch()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
