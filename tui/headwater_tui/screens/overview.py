"""What a person on call wants to see first: the worst of everything, and whether the picture can be trusted."""

import time
from collections.abc import Callable
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from headwater_analysis import format as fmt
from headwater_analysis.overview import Overview, overview
from headwater_analysis.source import Source
from headwater_tui import palette
from headwater_tui.messages import Go, Opened
from headwater_tui.state import Location
from headwater_tui.widgets.table import Column, Table

from .flows import NO_DATA, path_text
from .queues import lag_time as _lag_time
from .view import View


class OverviewView(View):
    """Five short tables; Enter leads to the screen behind a row."""

    name_in_path = "overview"
    DEFAULT_CSS = """
    OverviewView Table { height: 1fr; min-height: 3; max-height: 7; margin-bottom: 1; }
    OverviewView .title { height: 1; padding: 0 1; text-style: bold; }
    """

    def compose(self) -> ComposeResult:
        yield Static("", classes="head", id="overview-head")
        yield Static("", classes="empty")
        yield Static("Queues: the worst first", classes="title")
        yield Table(self._groups(), lambda row: (row.consumer_group, row.topic), id="worst-groups")
        yield Static("Dead letters: the newest causes", classes="title")
        yield Table(self._failures(), lambda row: row.failure_group_id, id="newest-failures")
        yield Static("Pathways: the most errors first", classes="title")
        yield Table(self._pathways(), lambda row: row.pathway_id, id="worst-pathways")
        yield Static("Flows: the newest", classes="title")
        yield Table(self._flows(), lambda row: row.flow_id, id="newest-flows")

    def _status(self, row: Any) -> Text:
        return palette.status(row.status, self.app.current_theme.dark)

    def _groups(self) -> list[Column]:
        return [
            Column("group", 18, lambda row: row.consumer_group),
            Column("topic", 16, lambda row: row.topic),
            Column("status", 16, self._status),
            Column("lag", 8, lambda row: fmt.count(row.lag), right=True),
            Column("lag time", 20, _lag_time, right=True),
            Column("evidence", 0, lambda row: row.evidence or "", priority=3),
        ]

    def _failures(self) -> list[Column]:
        return [
            Column("messages", 8, lambda row: fmt.count(row.messages), right=True),
            Column("error", 24, lambda row: row.error_type or fmt.UNKNOWN),
            Column("origin", 16, lambda row: row.origin_topic or fmt.UNKNOWN),
            Column("last seen", 12, lambda row: fmt.age(row.last_seen_ns, time.time_ns())),
            Column("cause", 0, lambda row: row.normalised_error or "", priority=3),
        ]

    def _pathways(self) -> list[Column]:
        return [
            Column("entry", 26, lambda row: f"{row.entry_service or '?'} {row.entry_name or ''}"),
            Column("flows", 8, lambda row: fmt.count(row.flows), right=True),
            Column("errors", 7, lambda row: fmt.ratio(row.error_rate), right=True),
            Column("p95 total", 12, lambda row: fmt.duration_ms(row.total_p95_ms), right=True),
            Column("p95 wait", 12, lambda row: fmt.duration_ms(row.wait_p95_ms), right=True, priority=2),
            Column("path", 0, lambda row: row.path or "", priority=3),
        ]

    def _flows(self) -> list[Column]:
        return [
            Column("started", 12, lambda row: fmt.age(row.started_ns, time.time_ns())),
            Column("status", 8, self._status),
            Column("total", 12, lambda row: fmt.duration_ms(row.total_ms), right=True),
            Column("path", 0, path_text),
        ]

    def arrive(self, location: Location) -> None:
        super().arrive(location)
        self.query_one("#worst-groups", Table).focus()

    def question(self) -> Callable[[Source], Any]:
        window = self.window
        return lambda source: overview(source, window)

    def show(self, answer: Overview) -> None:
        for name, rows in (
            ("#worst-groups", answer.groups),
            ("#newest-failures", answer.failure_groups),
            ("#worst-pathways", answer.pathways),
            ("#newest-flows", answer.flows.rows),
        ):
            self.query_one(name, Table).show(rows)
        head = Text()
        dark = self.app.current_theme.dark
        for cluster in answer.clusters:
            head.append(f"{cluster.name} ")
            head.append_text(palette.status(cluster.state, dark))
            head.append(f" ({cluster.reason})   " if cluster.reason else "   ")
        if not answer.clusters:
            head.append("no Kafka cluster is watched   ")
        head.append(f"{answer.groups_unhealthy} of {answer.groups_total} groups need a look   ")
        head.append(f"{answer.flows.unfiltered:,} flows in the last {self.last}")
        ingest = answer.ingest
        if ingest is not None:
            head.append(f"\ningest: {ingest.stored_spans:,} spans stored")
            for number, word in (
                (ingest.refused_requests, "requests refused"),
                (ingest.quarantined, "quarantined"),
            ):
                if number:
                    head.append(f"   ▲ {number:,} {word}", style=palette.tone("warn", dark))
            if ingest.last_error:
                head.append(f"   ✗ {ingest.last_error}", style=palette.tone("bad", dark))
        self.query_one("#overview-head", Static).update(head)
        nothing = answer.flows.newest_ns is None and not answer.groups_total
        self.say(NO_DATA if nothing else None)

    def on_opened(self, message: Opened) -> None:
        message.stop()
        row = message.row
        if hasattr(row, "flow_id"):
            self.post_message(Go(f"/flow/{row.flow_id}"))
        elif hasattr(row, "failure_group_id"):
            place = f"{row.example_topic}/{row.example_partition}/{row.example_offset}"
            self.post_message(Go(f"/dead-letters/{place}"))
        elif hasattr(row, "consumer_group"):
            self.post_message(Go(f"/queue/{row.topic}"))
        else:
            self.post_message(Go("/flows"))
