"""The one door to the data, whether a collector holds it or nobody does."""

import csv
import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO

DEFAULT_COLLECTOR = "http://127.0.0.1:4319"


@dataclass(frozen=True)
class Answer:
    """The rows of one question. Times are ISO 8601 text in UTC, 64-bit integers are ints, unknown is None."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    """DuckDB's names of the columns' types."""
    rows: list[tuple[Any, ...]]
    cut: str | None = None
    """Why rows are missing: "rows", "time" or "memory"; None when all are there."""

    def dicts(self) -> list[dict[str, Any]]:
        """One dictionary a row, keyed by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]], to: TextIO) -> None:
    """Rows of an answer as CSV: the values of the JSON answer, unknown as nothing, structures as JSON text."""
    writer = csv.writer(to, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_csv_value(value) for value in row])


def _csv_value(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | list | dict) else value


@dataclass(frozen=True)
class Change:
    """A relation has rows that it did not have before, with times from and to (ns since the epoch)."""

    relation: str
    from_ns: int
    to_ns: int


class Source(Protocol):
    """Answers questions. Safe to use from several threads; every call blocks."""

    label: str
    """For people: ``collector http://…`` or ``store FILE``."""

    def query(self, sql: str, params: Sequence[object] = ()) -> Answer:
        """One SELECT over the public relations.

        Raises QueryRefused, QueryFailed, or Unavailable when nobody answers.
        """
        ...

    def changes(self, stop: threading.Event) -> Iterator[Change]:
        """What changes from now on, until ``stop`` is set; raises Unavailable when the connection ends."""
        ...

    def health(self) -> dict[str, Any]:
        """The state of the collector's parts, or of the file."""
        ...

    def close(self) -> None:
        """Gives connections back; the source answers no more."""
        ...


def open_source(
    collector: str | None, token: str | None, store: Path | None, tls_ca: Path | None = None
) -> Source:
    """A store file where one is named, else the collector at that address (by default this machine's).

    `tls_ca` holds the certificates that an https:// collector is checked against, instead of the system's.
    """
    if store is not None:
        from .local import LocalSource

        return LocalSource(store)
    from .remote import RemoteSource

    return RemoteSource(collector or DEFAULT_COLLECTOR, token, tls_ca)
