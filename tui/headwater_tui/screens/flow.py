"""One flow: its path, its totals, the waterfall, and the span in hand."""

from collections.abc import Callable
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from headwater_analysis import flows, spans
from headwater_analysis import format as fmt
from headwater_analysis.errors import HeadwaterError
from headwater_analysis.flow_bounds import DOUBT, SENTENCES
from headwater_analysis.layout.tree import Row, path
from headwater_analysis.source import Source
from headwater_tui import palette
from headwater_tui.messages import Ask, Moved, Opened
from headwater_tui.state import Location
from headwater_tui.widgets.waterfall import Waterfall

from .view import View


class FlowView(View):
    """The waterfall over the span's details."""

    name_in_path = "flow"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._span: str | None = None
        self._facts: spans.SpanFacts | None = None
        self._wanted: tuple[str, str] | None = None

    def compose(self) -> ComposeResult:
        yield Static("", classes="head", id="flow-head")
        yield Static("", classes="empty")
        yield Waterfall(id="waterfall", classes="pane")
        yield Static("", classes="side", id="span")

    def arrive(self, location: Location) -> None:
        super().arrive(location)
        self._span = location.query.get("span")
        fall = self.query_one(Waterfall)
        if location.query.get("axis"):
            fall.elastic = location.query["axis"] == "elastic"
        fall.detail, fall.rows, fall.folded = None, (), set()
        self._facts = None
        self.query_one("#flow-head", Static).update("…")
        self.query_one("#span", Static).update("")
        fall.focus()

    def here(self) -> Location:
        row = self.query_one(Waterfall).current
        query = {"span": row.span.span_id} if row is not None else {}
        return Location("flow", self.location.rest, query)

    def question(self) -> Callable[[Source], Any] | None:
        if not self.location.rest:
            return None
        wanted, span = "/".join(self.location.rest), self._wanted

        def ask(source: Source) -> tuple[flows.FlowDetail, spans.SpanFacts | None]:
            detail = flows.load_flow(source, wanted)
            return detail, spans.span_facts(source, *span) if span else None

        return ask

    def show(self, answer: tuple[flows.FlowDetail, spans.SpanFacts | None]) -> None:
        detail, self._facts = answer
        fall = self.query_one(Waterfall)
        self.say(None)
        if detail != fall.detail:
            fall.show(detail, self._span)
            self._span = None
        self._head(detail)
        self._side(fall.current)

    def failed(self, error: HeadwaterError) -> None:
        self.query_one("#flow-head", Static).update("")
        super().failed(error)

    def _head(self, detail: flows.FlowDetail) -> None:
        flow = detail.flow
        head = Text(" → ".join(path(detail)), style="bold")
        head.append("\n")
        head.append_text(palette.status(flow.status, self.app.current_theme.dark))
        parts = [
            f"total {fmt.duration_ms(flow.total_ms)}",
            f"wait {fmt.duration_ms(flow.wait_ms)}",
            f"work {fmt.duration_ms(flow.work_ms)}",
            f"back-off {fmt.duration_ms(flow.backoff_ms)}",
            f"{fmt.count(flow.spans)} spans",
            f"{fmt.count(flow.messages)} messages",
        ]
        for number, word in ((flow.errors, "errors"), (flow.dead_letters, "dead letters")):
            parts += [f"{fmt.count(number)} {word}"] if number else []
        if flow.orphan:
            parts.append("a parent is missing")
        parts += [SENTENCES[bound] for bound in detail.cut]
        parts += [DOUBT.format(fmt.count(flow.doubtful))] if flow.doubtful else []
        head.append("   " + "   ".join(parts))
        self.query_one("#flow-head", Static).update(head)

    def on_moved(self, message: Moved) -> None:
        message.stop()
        row = message.row
        self._facts = None
        self._wanted = row.key if row is not None else None
        self._side(row)
        self.post_message(Ask())

    def on_opened(self, message: Opened) -> None:
        message.stop()
        self.query_one("#span", Static).focus()

    def _side(self, row: Row | None) -> None:
        if row is None:
            return
        span = row.span
        text = Text(f"{span.service}: {span.name}  ", style="bold")
        text.append_text(palette.status(span.status, self.app.current_theme.dark))
        text.append(f"  {span.kind}  {fmt.duration_ms(span.duration_ms)}\n")
        lines: list[tuple[str, object]] = []
        if span.topic is not None and span.partition is not None and span.message_offset is not None:
            lines.append(("message", fmt.place(span.topic, span.partition, span.message_offset)))
        for wait in row.waits:
            word = "waited" if wait.kind == "wait" else "back-off"
            more = f" ({wait.messages} messages)" if wait.messages > 1 else ""
            lines.append(
                (word, f"{fmt.duration_ms(wait.duration_ms)} in {wait.topic}/{wait.partition}{more}")
            )
        lines += [
            ("group", span.consumer_group),
            ("attempt", row.attempt if row.attempt and row.attempt > 1 else None),
            ("error", span.error_type),
            ("says", span.status_message),
            ("cause", f"{span.cause_kind} {span.cause_span_id}" if span.cause_kind else "the root"),
            ("shared", "with other flows" if span.shared else None),
            ("clock", "starts before its cause: the hosts' clocks differ" if row.skewed else None),
            ("event", span.event_id),
            ("trace, span", f"{span.trace_id} {span.span_id}"),
        ]
        facts = self._facts
        if facts is not None:
            lines += [("mark", mark) for mark in facts.marks]
            lines += [("link to", f"{one['linked_trace_id']} {one['linked_span_id']}") for one in facts.links]
            lines += [("linked from", f"{one['trace_id']} {one['span_id']}") for one in facts.linked_from]
            lines += [("linked from", "and more")] if facts.linked_from_more else []
            for event in facts.events:
                said = (event["attributes"] or {}).get("exception.message", "")
                lines.append(("event at", f"{event['occurred_at']} {event['name']} {said}"))
            lines += sorted(facts.attributes.items())
            lines += sorted(facts.resource.items())
        for name, value in lines:
            if value is not None:
                text.append(f"{name:<14} ", style=palette.tone("quiet", self.app.current_theme.dark))
                text.append(f"{value}\n")
        self.query_one("#span", Static).update(text)

    def links(self) -> dict[str, str]:
        row = self.query_one(Waterfall).current
        if row is None or row.span.topic is None:
            return {}
        found = {"v": f"/queue/{row.span.topic}"}
        if row.span.operation == "send" and row.span.message_offset is not None:
            span = row.span
            found["d"] = f"/dead-letters/{span.topic}/{span.partition}/{span.message_offset}"
        return found

    def copied_row(self) -> Any:
        row = self.query_one(Waterfall).current
        return row.span if row is not None else None
