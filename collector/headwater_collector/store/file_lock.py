"""A lock beside the store that also holds against a second opening in the same process."""

import os
from dataclasses import dataclass
from pathlib import Path

from .errors import StoreHeld

try:
    import fcntl
except ImportError:  # no such module on Windows; DuckDB's own lock holds there
    fcntl = None  # type: ignore[assignment]


@dataclass
class FileLock:
    """``<store>.lock``, holding the process id; the system lets go of it when the process dies."""

    descriptor: int | None

    @classmethod
    def take(cls, path: Path) -> "FileLock":
        """Raises StoreHeld with the process that has it."""
        if fcntl is None:
            return cls(None)
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 32).strip()
            os.close(descriptor)
            raise StoreHeld(path, int(holder) if holder.isdigit() else None) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Lets go; a second call does nothing."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None
