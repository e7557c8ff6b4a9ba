"""``create_app(source)``: the dashboard as one Dash application on FastAPI; nothing is made at import."""

from collections.abc import Callable
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, dcc, html
from starlette.middleware.gzip import GZipMiddleware

from headwater_analysis.source import Source

from .callbacks import register
from .guard import LocalOnly
from .live import Live
from .parts import aria
from .sign_in import SignIn
from .theme import css

_INDEX = """<!DOCTYPE html>
<html lang="en" data-mantine-color-scheme="light">
<head>
{%metas%}<title>{%title%}</title>{%favicon%}{%css%}
<style>__COLOURS__</style>
<script>
// Before anything is painted, so that nobody is dazzled.
(function () {
  const wish = localStorage.getItem('headwater-scheme') || 'system';
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const scheme = wish === 'system' ? (dark ? 'dark' : 'light') : wish;
  document.documentElement.setAttribute('data-mantine-color-scheme', scheme);
  document.documentElement.setAttribute('data-ag-theme-mode', scheme);
})();
</script>
</head>
<body>{%app_entry%}<footer>{%config%}{%scripts%}{%renderer%}</footer></body>
</html>"""


def create_app(
    source: Source, local_only: bool = True, check_token: Callable[[str], str | None] | None = None
) -> Dash:
    """The application; ``app.server`` is what to serve, ``app.live.stop()`` closes the source.

    With ``check_token``, which says what is wrong with a token, everybody must sign in.
    """
    app = Dash(
        "headwater_dashboard",
        title="headwater",
        update_title=None,  # type: ignore[arg-type]
        backend="fastapi",
        suppress_callback_exceptions=True,
        index_string=_INDEX.replace("__COLOURS__", css()),
        serve_locally=True,
    )
    app.layout = _layout
    live = Live(source)
    app.live = live  # type: ignore[attr-defined]
    register(app, live)
    server: Any = app.server
    server.add_middleware(GZipMiddleware, minimum_size=1_000, compresslevel=5)
    if check_token is not None:
        server.add_middleware(SignIn, check=check_token)
    server.add_middleware(LocalOnly, active=local_only)
    # Dash looks for the assets on the first request and answers that one without them: the first page would be dead.
    app._setup_server()  # type: ignore[no-untyped-call]
    live.start()
    return app


def _layout() -> Any:
    schemes = [{"value": name, "label": name} for name in ("system", "light", "dark")]
    return dmc.MantineProvider(
        id="mantine",
        children=[
            dcc.Location(id="url", refresh="callback-nav"),
            html.Header(
                [
                    html.A("headwater", href="/", className="brand"),
                    html.Nav(id="navigation", **aria(label="screens")),
                    dcc.Input(
                        id="go",
                        type="text",
                        placeholder="go to: flow, trace, span, topic@p:offset",
                        className="go",
                    ),
                    html.Span("…", id="badge", className="badge", role="status"),
                    dmc.SegmentedControl(
                        id="scheme-choice", data=schemes, size="xs", persistence=True, value="system"
                    ),
                ]
            ),
            html.Main([html.H1(id="title"), html.Div(id="page")]),
            html.Div(id="keys", className="keys", hidden=True),
            dcc.Store(id="news"),
            dcc.Store(id="socket", data=1),
            dcc.Store(id="paused", data=False),
            dcc.Store(id="scheme"),
            dcc.Interval(id="clock", interval=2_000, disabled=True),
            dcc.Interval(id="watchdog", interval=1_000),
        ],
    )
