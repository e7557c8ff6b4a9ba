"""What opening the store can refuse with.

Unavailable
├── StoreHeld (another process has it)
├── StoreTooNew (written by a newer headwater)
└── StoreBroken (no store of ours, or damaged)
"""

from pathlib import Path

from headwater_analysis.errors import Unavailable

# DuckDB's and Arrow's ways to say that the rows themselves are at fault; anything else is the disk, the
# memory or the file, passes or needs a person, and must never cost a request.
_DATA_ERRORS = {
    "ArrowInvalid",
    "ArrowTypeError",
    "ConstraintException",
    "ConversionException",
    "DataError",
    "InvalidInputException",
    "OutOfRangeException",
    "OverflowError",
    "TypeMismatchException",
    "UnicodeDecodeError",
    "UnicodeEncodeError",
    "ValueError",
}


def is_of_rows(error: Exception) -> bool:
    """Whether the rows themselves are at fault, and would be again."""
    return type(error).__name__ in _DATA_ERRORS


class StoreHeld(Unavailable):
    """Another process holds the store."""

    def __init__(self, path: Path, pid: int | None) -> None:
        self.pid = pid
        """The process that holds it, where the system tells."""
        who = f"the process {pid}" if pid else "another process"
        super().__init__(f"The store {path} is held by {who}; stop it, or give another --data directory.")


class StoreTooNew(Unavailable):
    """The store was written by a newer version; nothing in it was touched."""

    def __init__(self, path: Path, version: int | str, known: int | str) -> None:
        self.version = version
        """The store's schema version."""
        super().__init__(
            f"The store {path} has version {version}, and this headwater knows versions up to {known}; "
            "install a newer headwater, or give another --data directory."
        )


class StoreBroken(Unavailable):
    """The file is no store of headwater's, or cannot be read."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"The store {path} cannot be opened: {reason}; give another --data directory.")
