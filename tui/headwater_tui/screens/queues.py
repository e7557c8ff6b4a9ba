"""Consumer groups on topics: lag, lag time, a verdict with its evidence; and the partitions of the one in hand."""

from collections.abc import Callable
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from headwater_analysis import format as fmt
from headwater_analysis import lag
from headwater_analysis.source import Source
from headwater_tui import palette
from headwater_tui.messages import Ask, Moved
from headwater_tui.state import Location
from headwater_tui.widgets.table import Column, Table

from .view import View

TREND = 20


class QueuesView(View):
    """Groups above, the partitions of the group in hand below."""

    name_in_path = "queues"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._trends: dict[tuple[str, str], tuple[float | None, ...]] = {}
        self._chosen: tuple[str, str] | None = None
        self.last = "15m"

    def compose(self) -> ComposeResult:
        yield Static("", classes="head", id="queues-head")
        yield Static("", classes="empty")
        yield Table(self._group_columns(), lambda row: (row.cluster, row.consumer_group, row.topic), id="groups",
                    classes="pane")  # fmt: skip
        yield Static("", classes="head", id="evidence")
        yield Table(self._partition_columns(), lambda row: row.partition, id="partitions", classes="side")

    def _status(self, row: Any) -> Any:
        return palette.status(row.status, self.app.current_theme.dark)

    def _group_columns(self) -> list[Column]:
        return [
            Column("group", 18, lambda row: row.consumer_group, sort=lambda row: row.consumer_group),
            Column("topic", 16, lambda row: row.topic, sort=lambda row: row.topic),
            Column("status", 16, self._status, sort=lambda row: row.status),
            Column("lag", 8, lambda row: fmt.count(row.lag), right=True, sort=lambda row: row.lag),
            Column("lag time", 20, lag_time, right=True, sort=lambda row: row.lag_seconds),
            Column("trend", TREND, self._trend, priority=3),
            Column("in", 8, lambda row: fmt.rate(row.in_rate), right=True, priority=4, sort=lambda row: row.in_rate),
            Column("out", 8, lambda row: fmt.rate(row.out_rate), right=True, priority=4),
            Column("members", 7, lambda row: fmt.count(row.members), right=True, priority=5),
            Column("evidence", 0, lambda row: row.evidence or "", priority=6),
        ]  # fmt: skip

    def _partition_columns(self) -> list[Column]:
        return [
            Column("partition", 9, lambda row: str(row.partition), right=True),
            Column("status", 16, self._status),
            Column("lag", 8, lambda row: fmt.count(row.lag), right=True),
            Column("lag time", 20, lag_time, right=True),
            Column("committed", 10, lambda row: fmt.count(row.committed), right=True, priority=2),
            Column("end", 10, lambda row: fmt.count(row.end_offset), right=True, priority=2),
            Column("in", 8, lambda row: fmt.rate(row.in_rate), right=True, priority=4),
            Column("out", 8, lambda row: fmt.rate(row.out_rate), right=True, priority=4),
            Column("member", 20, lambda row: row.member or fmt.UNKNOWN, priority=5),
            Column("evidence", 0, lambda row: row.evidence or "", priority=3),
        ]

    def _trend(self, row: lag.GroupRow) -> str:
        return fmt.sparkline(self._trends.get((row.consumer_group, row.topic), ()), TREND)

    def arrive(self, location: Location) -> None:
        super().arrive(location)
        self.query_one("#groups", Table).focus()

    def question(self) -> Callable[[Source], Any]:
        window, chosen = self.window, self._chosen

        def ask(source: Source) -> tuple[Any, ...]:
            groups = lag.groups(source)
            place = chosen or ((groups[0].consumer_group, groups[0].topic) if groups else None)
            partitions = lag.partitions(source, *place) if place else ()
            return groups, lag.trends(source, window, TREND), partitions, lag.clusters(source)

        return ask

    def show(self, answer: tuple[Any, ...]) -> None:
        groups, self._trends, partitions, clusters = answer
        topic = self.location.rest[0] if self.location.rest else None
        if topic is not None:
            groups = tuple(row for row in groups if row.topic == topic)
        words = [part for part in self.filter_text.split() if part]
        groups = tuple(
            row
            for row in groups
            if all(word in f"{row.consumer_group} {row.topic} {row.status}" for word in words)
        )
        table = self.query_one("#groups", Table)
        table.show(groups)
        if self._chosen is None and groups:
            self._chosen = (groups[0].consumer_group, groups[0].topic)
        self.query_one("#partitions", Table).show(partitions)
        states = "   ".join(
            f"{one.name}: {fmt.state(one.state).glyph} {fmt.state(one.state).word}"
            + (f" ({one.reason})" if one.reason else "")
            for one in clusters
        )
        about = f" on {topic}" if topic else ""
        head = f"{len(groups):,} groups × topics{about}   {states}"
        shared = lag.share_groups_line(clusters)
        self.query_one("#queues-head", Static).update(Text(f"{head}\n{shared}" if shared else head))
        row = table.current
        if row is not None:
            self.query_one("#evidence", Static).update(
                f"{row.consumer_group} on {row.topic}: {row.evidence or 'no evidence yet'}"
            )
        self.say(None if groups else _why_empty(clusters))

    def on_moved(self, message: Moved) -> None:
        message.stop()
        if isinstance(message.row, lag.GroupRow):
            self._chosen = (message.row.consumer_group, message.row.topic)
            self.post_message(Ask())

    def copied_row(self) -> Any:
        return self.query_one("#groups", Table).current


def lag_time(row: Any) -> str:
    return fmt.lag_time(row.lag_seconds, row.lag_method, row.lag_error_seconds)


def _why_empty(clusters: tuple[lag.ClusterRow, ...]) -> str:
    if not clusters:
        return "The collector watches no Kafka cluster. Start it with one:  headwater serve --kafka HOST:PORT"
    down = [one for one in clusters if one.state != "up"]
    if down:
        return "\n".join(
            f"{one.name} ({one.bootstrap}) is {one.state}: {one.reason or 'no reason'}" for one in down
        )
    return "No consumer group has committed anything on this cluster yet."
