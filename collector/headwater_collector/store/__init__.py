"""The store: the one room that opens DuckDB for writing."""

from .append import AppendCounts, append_spans
from .append_metrics import append_metrics
from .errors import StoreBroken, StoreHeld, StoreTooNew, is_of_rows
from .retention import Retention
from .store import Store
from .writer import Writer

__all__ = [
    "AppendCounts",
    "Retention",
    "Store",
    "StoreBroken",
    "StoreHeld",
    "StoreTooNew",
    "Writer",
    "append_metrics",
    "append_spans",
    "is_of_rows",
]
