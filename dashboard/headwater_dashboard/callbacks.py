"""What happens when an address changes, something is clicked, or the collector has news."""

import asyncio
from typing import Any
from urllib.parse import urlencode

import dash
from dash import ClientsideFunction, Dash, Input, Output, State, html, no_update, set_props

from headwater_analysis.errors import HeadwaterError, Unavailable
from headwater_analysis.flows import load_flow

from .live import Live
from .pages import flow, flows, sql
from .parts import aria, empty
from .routes import KEPT, NAVIGATION, place


def register(app: Dash, live: Live) -> None:
    """Connects everything."""
    _pages(app, live)
    _flows(app, live)
    _flow(app, live)
    _sql(app, live)
    _news(app, live)


def _asked(live: Live, question: Any, *args: Any) -> Any:
    """The answer, or what to show instead."""
    try:
        answer = question(*args)
    except Unavailable as error:
        live.failed(error)
        return empty(str(error), "headwater demo")
    except HeadwaterError as error:
        return empty(str(error))
    live.worked()
    return answer


def _draw(live: Live, path: str | None, search: str | None, scheme: str | None) -> Any:
    found = place(path, search)
    if found is None:
        return empty(f"There is no page {path}.")
    query = {**found.query, "scheme": scheme or "light"}
    return _asked(live, found.page.content, live.source, found.rest, query)


def _pages(app: Dash, live: Live) -> None:
    @app.callback(
        Output("page", "children"),
        Output("title", "children"),
        Output("navigation", "children"),
        Input("url", "pathname"),
        Input("url", "search"),
        State("scheme", "data"),
    )
    async def route(path: str | None, search: str | None, scheme: str | None) -> tuple[Any, Any, Any]:
        found = place(path, search)
        if found is not None and found.page in KEPT:
            changed = {one["prop_id"] for one in dash.ctx.triggered}
            if changed == {"url.search"}:
                return no_update, no_update, no_update  # the page itself wrote into its address
        section = found.section if found is not None else ""
        links = [
            html.A(
                [html.Kbd(key), f" {title}"],
                href=address,
                className="current" if address == section else "",
                **aria(current="page" if address == section else "false"),
            )
            for key, title, address in NAVIGATION
        ]
        title = found.page.TITLE if found is not None else "Not found"
        return await asyncio.to_thread(_draw, live, path, search, scheme), title, links

    @app.callback(
        Output("page", "children", allow_duplicate=True),
        Input("news", "data"),
        State("url", "pathname"),
        State("url", "search"),
        State("scheme", "data"),
        State("paused", "data"),
        prevent_initial_call=True,
    )
    async def again(
        _news: Any, path: str | None, search: str | None, scheme: str | None, paused: bool | None
    ) -> Any:
        found = place(path, search)
        if paused or found is None or found.page in KEPT:
            return no_update
        drawn = await asyncio.to_thread(_draw, live, path, search, scheme)
        return no_update if live.error is not None else drawn


def _flows(app: Dash, live: Live) -> None:
    @app.callback(
        Output("flows-grid", "rowData"),
        Output("flows-heading", "children"),
        Input("news", "data"),
        Input("flows-filter", "value"),
        Input("flows-range", "value"),
        State("paused", "data"),
        prevent_initial_call=True,
    )
    async def listed(_news: Any, text: str | None, last: str | None, paused: bool | None) -> tuple[Any, Any]:
        if paused and dash.ctx.triggered_id == "news":
            return no_update, no_update
        query = {"q": text or "", "from": last or "1h"}
        answer = await asyncio.to_thread(_asked, live, flows.ask, live.source, query)
        if not hasattr(answer, "rows"):
            return no_update, answer
        return flows.rows(answer), flows.heading(answer, query)

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input("flows-filter", "value"),
        Input("flows-range", "value"),
        prevent_initial_call=True,
    )
    async def addressed(text: str | None, last: str | None) -> str:
        query = {name: value for name, value in (("q", text), ("from", last)) if value and value != "1h"}
        return f"?{urlencode(query)}" if query else ""


def _flow(app: Dash, live: Live) -> None:
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("headwater", "draw"),
        Output("flow-drawn", "data"),
        Input("flow-data", "data"),
        State("flow-span", "data"),
    )

    @app.callback(
        Output("flow-data", "data", allow_duplicate=True),
        Output("flow-head", "children"),
        Input("news", "data"),
        State("flow-data", "data"),
        State("paused", "data"),
        prevent_initial_call=True,
    )
    async def redrawn(_news: Any, data: dict[str, Any], paused: bool | None) -> tuple[Any, Any]:
        if not data or paused:
            return no_update, no_update

        def ask() -> tuple[Any, Any]:
            detail = load_flow(live.source, data["flow"])
            return flow.columns(detail, data["elastic"]), flow.head(detail)

        answer = await asyncio.to_thread(_asked, live, ask)
        if not isinstance(answer, tuple) or answer[0] == data:
            return no_update, no_update
        return answer

    @app.callback(Output("span-panel", "children"), Input("flow-span", "data"))
    async def described(chosen: dict[str, Any] | None) -> Any:
        if not chosen or not chosen.get("trace") or not chosen.get("span"):
            return no_update
        return await asyncio.to_thread(
            _asked, live, flow.span_panel, live.source, chosen["trace"], chosen["span"]
        )


def _sql(app: Dash, live: Live) -> None:
    @app.callback(
        Output("sql-grid", "columnDefs"),
        Output("sql-grid", "rowData"),
        Output("sql-said", "children"),
        Output("sql-answer", "hidden"),
        Input("sql-run", "n_clicks"),
        State("sql-text", "value"),
        prevent_initial_call=True,
    )
    async def answered(_clicks: int | None, statement: str | None) -> tuple[Any, Any, Any, Any]:
        def ask() -> Any:
            return live.source.query((statement or "").strip().rstrip(";"))

        try:
            answer = await asyncio.to_thread(ask)
        except HeadwaterError as error:
            return no_update, no_update, f"✗ {error}", no_update
        live.worked()
        return *sql.grid(answer), False

    app.clientside_callback(  # type: ignore[no-untyped-call]
        "function(n){return !!n}",
        Output("sql-grid", "exportDataAsCsv"),
        Input("sql-export", "n_clicks"),
        prevent_initial_call=True,
    )


def _news(app: Dash, live: Live) -> None:
    @app.callback(Input("socket", "data"), websocket=True, persistent=True)
    async def told(_start: Any) -> None:
        async for state in live.ticks():
            set_props("news", {"data": {**state, "by": "socket"}})

    @app.callback(
        Output("news", "data", allow_duplicate=True), Input("clock", "n_intervals"), prevent_initial_call=True
    )
    async def polled(_n: int) -> dict[str, Any]:
        return {**live.state(), "by": "polling"}

    # The clock runs only while nothing comes over the socket.
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("headwater", "badge"),
        Output("badge", "children"),
        Output("badge", "className"),
        Output("clock", "disabled"),
        Input("news", "data"),
        Input("paused", "data"),
        Input("watchdog", "n_intervals"),
    )
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("headwater", "scheme"),
        Output("mantine", "forceColorScheme"),
        Output("scheme", "data"),
        Input("scheme-choice", "value"),
    )
