"""`headwater tui`: the terminal screens, on a running collector or a store file."""

import gc

from headwater_analysis.settings import COLLECTOR, STORE, TOKEN, Command, Option, Positional, read
from headwater_analysis.source import open_source

TUI = Command(
    "tui",
    "Opens the terminal screens: overview, flows, queues, dead letters and SQL, live.",
    (
        "headwater tui",
        "headwater tui /queues",
        "headwater tui /flow/4bf92f3577b34da6a3ce929d0e0e4736",
        "headwater tui --store data/headwater.duckdb",
    ),
    (Positional("location", "where to start, such as /flows or a flow's id", optional=True),),
    (
        COLLECTOR,
        TOKEN,
        STORE,
        Option(
            "theme",
            "dark, light or ansi (the terminal's own colours).",
            "dark",
            "choice",
            ("dark", "light", "ansi"),
        ),
    ),
)
_THEMES = {"dark": "textual-dark", "light": "textual-light", "ansi": "textual-ansi"}


def run(argv: list[str]) -> int:
    """The command; gives its exit code."""
    settings = read(TUI, argv)
    source = open_source(settings.collector, settings.token, settings.store, settings.tls_ca)
    from .app import HeadwaterApp

    app = HeadwaterApp(source, settings.location or "/")
    app.theme = _THEMES[settings.theme]
    # The tail of key latencies is garbage collection: what is loaded by now stays.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    app.run()
    return app.return_code or 0
