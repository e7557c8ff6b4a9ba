"""The database's names for whoever asks on a cursor of the store, so that only the store imports it."""

from duckdb import DuckDBPyConnection as Cursor
from duckdb import Error as DatabaseError

__all__ = ["Cursor", "DatabaseError"]
