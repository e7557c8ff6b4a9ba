"""SQL over the public relations: an editor, the relations with their meaning, and the rows."""

import json
from typing import Any

import dash_ag_grid as dag
from dash import dcc, html

from headwater_analysis.source import Answer, Source
from headwater_analysis.sql import DESCRIPTIONS, EXAMPLE

TITLE = "SQL"


def content(source: Source, _rest: tuple[str, ...], query: dict[str, str]) -> Any:
    """The page before anything was run."""
    relations: list[Any] = []
    columns: list[Any] = []
    for relation, column, kind, comment in source.query(DESCRIPTIONS).rows:
        if column is None:
            columns = []
            relations.append(
                html.Details([html.Summary([html.B(relation), f" {comment or ''}"]), html.Ul(columns)])
            )
        else:
            columns.append(
                html.Li([html.Code(column), html.Span(f" {kind} ", className="quiet"), comment or ""])
            )
    return html.Div(
        [
            html.Div(
                [
                    html.Div(
                        [
                            html.Label("One SELECT over the public relations", htmlFor="sql-text", className="quiet"),
                            dcc.Textarea(id="sql-text", value=query.get("q", EXAMPLE), className="editor",
                                         spellCheck=False),
                            html.Div(
                                [
                                    html.Button("Run (ctrl+Enter)", id="sql-run", className="button"),
                                    html.Button("Export CSV", id="sql-export", className="button"),
                                    html.Span(id="sql-said", role="status"),
                                ],
                                className="bar",
                            ),
                        ],
                        className="left",
                    ),
                    html.Div(relations, className="panel relations"),
                ],
                className="split",
            ),
            html.Div(dag.AgGrid(id="sql-grid", columnDefs=[], rowData=[], className="ag-theme-quartz",
                                style={"height": "45vh"}, csvExportParams={"fileName": "headwater.csv"}),
                     id="sql-answer", hidden=True),
        ]
    )  # fmt: skip


def grid(answer: Answer) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
    """Column definitions, rows and the sentence beside them."""
    names = [f"c{i}" for i in range(len(answer.columns))]
    columns = [
        {"field": name, "headerName": title, "resizable": True, "sortable": True, "filter": True}
        for name, title in zip(names, answer.columns, strict=True)
    ]
    rows = [dict(zip(names, map(_plain, row), strict=True)) for row in answer.rows]
    cut = f"; cut by the limit of {answer.cut}, ask for fewer" if answer.cut else ""
    return columns, rows, f"{len(answer.rows):,} row{'' if len(answer.rows) == 1 else 's'}{cut}"


def _plain(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value
