"""Notices that somebody removed, replaced or overwrote the store's file while it is open.

DuckDB goes on writing into the file that has lost its name or its beginning, and says nothing; the log must
not be deleted then.
"""

from __future__ import annotations

import os
from pathlib import Path

from .errors import StoreGone

_HEAD_BYTES = 4096
"""DuckDB's main header: written when the file is made, and never again."""


class StoreFile:
    """Which file is open. Construct without I/O."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is: tuple[int, int, bytes] | None = None

    def check(self) -> None:
        """Raises StoreGone unless the file still lies where it was at the first call."""
        try:
            now = self._identity()
            self._is = self._is or now
            there = now == self._is
        except OSError:
            there = False
        if not there:
            raise StoreGone(
                f"{self._path} was removed, replaced or overwritten while the collector runs. What is received "
                "stays in the log; stop the collector, put the file back if there is a copy, and start it again."
            )

    def _identity(self) -> tuple[int, int, bytes]:
        with open(self._path, "rb", buffering=0) as file:
            state = os.fstat(file.fileno())
            return state.st_dev, state.st_ino, file.read(_HEAD_BYTES)
