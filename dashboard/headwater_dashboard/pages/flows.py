"""Flows, newest first, in a grid."""

import time
from typing import Any

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import dcc, html

from headwater_analysis import flows
from headwater_analysis import format as fmt
from headwater_analysis.source import Source
from headwater_analysis.window import Window
from headwater_dashboard.parts import NO_DATA, empty

TITLE = "Flows"
RANGES = ("15m", "1h", "6h", "1d", "7d")
LIMIT = 1_000

_DURATION = {"width": 110, "type": "rightAligned", "valueFormatter": {"function": "hwDuration(params.value)"}}
COLUMNS: list[dict[str, Any]] = [
    {"field": "started", "width": 110, "cellRenderer": "FlowLink"},
    {"field": "status", "width": 110, "cellRenderer": "Status"},
    {"field": "total_ms", "headerName": "total", **_DURATION},
    {"field": "wait_ms", "headerName": "wait", **_DURATION},
    {"field": "work_ms", "headerName": "work", **_DURATION},
    {"field": "entry", "width": 200},
    {"field": "path", "flex": 1, "minWidth": 240},
    {"field": "topics", "width": 220},
    {"field": "spans", "width": 90, "type": "rightAligned"},
    {"field": "errors", "width": 90, "type": "rightAligned"},
    {"field": "dead_letters", "headerName": "dead letters", "width": 120, "type": "rightAligned"},
]  # fmt: skip


def rows(found: flows.FlowList) -> list[dict[str, Any]]:
    """The grid's rows."""
    return [
        {
            "flow_id": row.flow_id,
            "started": time.strftime("%H:%M:%S", time.localtime(row.started_ns / 1e9)),
            "status": row.status,
            "total_ms": row.total_ms,
            "wait_ms": row.wait_ms,
            "work_ms": row.work_ms,
            "entry": f"{row.entry_service or '?'} {row.entry_name or ''}",
            "path": " → ".join(row.services),
            "topics": ", ".join(row.topics),
            "spans": row.spans,
            "errors": row.errors,
            "dead_letters": row.dead_letters,
        }
        for row in found.rows
    ]


def ask(source: Source, query: dict[str, str]) -> flows.FlowList:
    """The flows that the address asks for."""
    return flows.list_flows(source, Window.last(query.get("from", "1h")), query.get("q", ""), limit=LIMIT)


def heading(found: flows.FlowList, query: dict[str, str]) -> str:
    """How many there are, and of how many."""
    last = query.get("from", "1h")
    shown = f"{fmt.count(len(found.rows))} of " if len(found.rows) < found.total else ""
    hidden = f" (of {fmt.count(found.unfiltered)})" if query.get("q") else ""
    if not found.rows and found.newest_ns is not None and not found.unfiltered:
        return f"No flow in the last {last}; the newest started {fmt.age(found.newest_ns, time.time_ns())}."
    return f"{shown}{fmt.count(found.total)} flows{hidden} in the last {last}"


def content(source: Source, _rest: tuple[str, ...], query: dict[str, str]) -> Any:
    """Filter, time range and grid."""
    found = ask(source, query)
    if found.newest_ns is None:
        return empty(
            "No flow has arrived yet. Send spans to the collector (OTLP, port 4317 or 4318):", NO_DATA
        )
    return html.Div(
        [
            html.Div(
                [
                    dcc.Input(
                        id="flows-filter", value=query.get("q", ""), debounce=True, type="text", className="filter",
                        placeholder='service:payments topic:orders* status:error wait>2s "words"',
                    ),
                    dmc.SegmentedControl(id="flows-range", data=list(RANGES), value=query.get("from", "1h"), size="xs"),
                    html.Span(heading(found, query), id="flows-heading"),
                ],
                className="bar",
            ),
            dag.AgGrid(
                id="flows-grid",
                columnDefs=COLUMNS,
                rowData=rows(found),
                getRowId="params.data.flow_id",
                defaultColDef={"sortable": True, "resizable": True},
                dashGridOptions={"rowHeight": 28, "headerHeight": 30, "animateRows": False,
                                 "suppressCellFocus": False},
                className="ag-theme-quartz grid",
                style={"height": "calc(100vh - 190px)"},
            ),
        ]
    )  # fmt: skip
