"""The text format of Prometheus, version 0.0.4: families of samples, escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]
Rows = Sequence[tuple[Labels, float | None]]
"""A value that is None is unknown, and left out."""


def family(name: str, kind: str, text: str, rows: Rows) -> Iterator[str]:
    """Help, type and samples of one name; nothing where no value is known."""
    known = [(labels, value) for labels, value in rows if value is not None]
    if not known:
        return
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
    for labels, value in known:
        inside = ",".join(f'{label}="{_escaped(of)}"' for label, of in labels)
        yield f"{name}{f'{{{inside}}}' if inside else ''} {float(value):.17g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
