"""Small pieces that several pages are made of."""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from dash import dcc, html

from headwater_analysis import format as fmt

NO_DATA = (
    "pip install headwater-instrumentation opentelemetry-distro opentelemetry-exporter-otlp-proto-http\n"
    "export OTEL_SERVICE_NAME=payments OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n"
    "export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318\n"
    "opentelemetry-instrument python payments.py"
)


def aria(**words: str) -> dict[str, Any]:
    """Attributes for those who do not see: ``aria(label="…")``."""
    return {f"aria-{name}": word for name, word in words.items()}


def status(word: str | None) -> Any:
    """Glyph and word of a status in its colour."""
    state = fmt.state(word)
    return html.Span(f"{state.glyph} {state.word}", className=f"status {state.tone}")


def table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Sequence[str] = (), label: str = ""
) -> Any:
    """A plain table; columns named in ``numbers`` are set right."""

    def kind(name: str) -> str:
        return "number" if name in numbers else ""

    head = html.Thead(html.Tr([html.Th(name, className=kind(name), scope="col") for name in columns]))
    body = html.Tbody(
        [
            html.Tr([html.Td(cell, className=kind(name)) for name, cell in zip(columns, row, strict=True)])
            for row in rows
        ]
    )
    return html.Table([head, body], className="plain", **aria(label=label))


def link(text: Any, place: str) -> Any:
    """A link inside the application."""
    return dcc.Link(text, href=place)


def empty(sentence: str, command: str | None = None) -> Any:
    """What an empty state says, and what to run."""
    return html.Div([html.P(sentence), html.Pre(command) if command else None], className="empty")


def sparkline(values: Sequence[float | None], width: int = 120, height: int = 24) -> Any:
    """The course of a number as an inline SVG image; steps without a value are passed over."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return html.Span(fmt.UNKNOWN, className="quiet")
    most = max(known) or 1
    step = width / max(len(values) - 1, 1)
    points = " ".join(
        f"{i * step:.1f},{height - 2 - (height - 4) * value / most:.1f}"
        for i, value in enumerate(values)
        if value is not None
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<polyline points="{points}" fill="none" stroke="#4a86c9" stroke-width="1.5"/></svg>'
    )
    words = f"from {fmt.count(known[0])} to {fmt.count(known[-1])}, at most {fmt.count(most)}"
    return html.Img(src=f"data:image/svg+xml,{quote(svg)}", alt=words, className="spark")


def facts(pairs: Iterable[tuple[str, Any]]) -> Any:
    """Names and values, those without a value left out."""
    rows = [(name, value) for name, value in pairs if value is not None]
    return html.Dl(
        [part for name, value in rows for part in (html.Dt(name), html.Dd(value))], className="facts"
    )


def lag_time(row: Any) -> str:
    """Lag time of a row with its certainty."""
    return fmt.lag_time(row.lag_seconds, row.lag_method, row.lag_error_seconds)
