"""Flows, newest first."""

import time
from collections.abc import Callable
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from headwater_analysis import flows
from headwater_analysis import format as fmt
from headwater_analysis.source import Source
from headwater_tui import palette
from headwater_tui.messages import Go, Opened
from headwater_tui.state import Location
from headwater_tui.widgets.table import Column, Table

from .view import View

NO_DATA = (
    "No flow has arrived yet.\n\n"
    "Send spans with any OpenTelemetry SDK to the collector (OTLP, port 4317 or 4318):\n\n"
    "  pip install headwater-instrumentation opentelemetry-distro opentelemetry-exporter-otlp-proto-http\n"
    "  export OTEL_SERVICE_NAME=payments OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n"
    "  export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318\n"
    "  opentelemetry-instrument python payments.py\n\n"
    "or try it with made-up services:  headwater demo"
)


def _clock(row: flows.FlowRow) -> str:
    return time.strftime("%H:%M:%S", time.localtime(row.started_ns / 1e9))


def _dead(row: flows.FlowRow) -> str:
    return f"☠ {row.dead_letters}" if row.dead_letters else ""


def path_text(row: flows.FlowRow) -> str:
    """Services of a flow as a path, or its topics where it has but one service."""
    return " → ".join(row.services)


class FlowsView(View):
    """The list; Enter opens a flow."""

    name_in_path = "flows"

    def compose(self) -> ComposeResult:
        yield Static("", classes="head", id="flows-head")
        yield Static("", classes="empty")
        yield Table(self._columns(), lambda row: row.flow_id, id="flow-list", classes="pane")

    def _columns(self) -> list[Column]:
        def dark() -> bool:
            return self.app.current_theme.dark

        return [
            Column("started", 8, _clock, sort=lambda row: row.started_ns),
            Column("status", 8, lambda row: palette.status(row.status, dark()), sort=lambda row: row.status),
            Column(
                "total",
                12,
                lambda row: fmt.duration_ms(row.total_ms),
                right=True,
                sort=lambda row: row.total_ms,
            ),
            Column(
                "wait",
                12,
                lambda row: fmt.duration_ms(row.wait_ms),
                right=True,
                priority=2,
                sort=lambda row: row.wait_ms,
            ),
            Column(
                "work",
                12,
                lambda row: fmt.duration_ms(row.work_ms),
                right=True,
                priority=3,
                sort=lambda row: row.work_ms,
            ),
            Column("entry", 22, lambda row: f"{row.entry_service or '?'} {row.entry_name or ''}", priority=2),
            Column("path", 0, path_text),
            Column(
                "spans",
                6,
                lambda row: fmt.count(row.spans),
                right=True,
                priority=4,
                sort=lambda row: row.spans,
            ),
            Column(
                "err",
                4,
                lambda row: fmt.count(row.errors),
                right=True,
                priority=3,
                sort=lambda row: row.errors,
            ),
            Column("dead", 4, _dead, priority=2, sort=lambda row: row.dead_letters),
        ]

    def arrive(self, location: Location) -> None:
        super().arrive(location)
        self.filter_text = location.query.get("q", self.filter_text)
        self.query_one(Table).focus()

    def here(self) -> Location:
        return Location("flows", (), {"q": self.filter_text} if self.filter_text else {})

    def question(self) -> Callable[[Source], Any]:
        window, text = self.window, self.filter_text
        return lambda source: flows.list_flows(source, window, text)

    def show(self, answer: flows.FlowList) -> None:
        table = self.query_one(Table)
        table.show(answer.rows)
        of = (
            f"{len(answer.rows):,} of {answer.total:,}"
            if answer.total > len(answer.rows)
            else f"{answer.total:,}"
        )
        hidden = f" (of {answer.unfiltered:,})" if self.filter_text else ""
        new = f"   ▲ {table.new_above} new" if table.new_above else ""
        narrowed = f"   filter: {self.filter_text}" if self.filter_text else ""
        self.query_one("#flows-head", Static).update(
            Text(f"{of} flows{hidden} in the last {self.last}{narrowed}{new}")
        )
        if answer.rows:
            self.say(None)
        elif answer.newest_ns is None:
            self.say(NO_DATA)
        elif answer.unfiltered:
            self.say(
                f"0 of {answer.unfiltered:,} flows pass the filter; / then Enter on an empty line clears it."
            )
        else:
            self.say(
                f"No flow in the last {self.last}; the newest started {fmt.age(answer.newest_ns, time.time_ns())}. "
                "r takes a longer time range."
            )

    def on_opened(self, message: Opened) -> None:
        message.stop()
        self.post_message(Go(f"/flow/{message.row.flow_id}"))

    def links(self) -> dict[str, str]:
        row = self.query_one(Table).current
        return {"t": f"/flow/{row.flow_id}"} if row is not None else {}

    def copied_row(self) -> Any:
        return self.query_one(Table).current
