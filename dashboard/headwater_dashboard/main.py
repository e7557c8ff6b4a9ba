"""`headwater dashboard`: the browser screens, on a running collector or a store file."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

import uvicorn

from headwater_analysis.errors import HeadwaterError, Unavailable, UsageError
from headwater_analysis.settings import COLLECTOR, STORE, TOKEN, Command, Option, Settings, read
from headwater_analysis.source import open_source

from .app import create_app

DASHBOARD = Command(
    "dashboard",
    "Serves the browser screens: overview, flows, queues, dead letters and SQL, live.",
    (
        "headwater dashboard",
        "headwater dashboard --collector http://127.0.0.1:4319 --web 127.0.0.1:8080",
        "headwater dashboard --store data/headwater.duckdb",
    ),
    options=(
        COLLECTOR,
        TOKEN,
        STORE,
        Option("web", "Where the dashboard listens.", "127.0.0.1:8050", "address"),
        Option(
            "sign-in", "Ask for a token on this machine, too; beyond it that is so anyway.", False, "flag"
        ),
        Option(
            "insecure", "Listen beyond this machine without signing in: everybody can read.", False, "flag"
        ),
    ),
)
LOCAL = ("127.0.0.1", "localhost", "::1", "[::1]")


def run(argv: list[str]) -> int:
    """The command; gives its exit code."""
    settings = read(DASHBOARD, argv)
    host = settings.web.rpartition(":")[0]
    local = host in LOCAL
    check = None
    if settings.sign_in or not (local or settings.insecure):
        check = _token_check(settings)
    sock = listening(settings.web)
    source = open_source(settings.collector, settings.token, settings.store, settings.tls_ca)
    logging.getLogger("dash").setLevel(logging.WARNING)
    app = create_app(source, local_only=local, check_token=check)
    port = sock.getsockname()[1]
    sys.stdout.write(f"headwater dashboard on http://{host}:{port} for {source.label}\n")
    sys.stdout.flush()
    try:
        asyncio.run(_serve(app.server, sock))
    except KeyboardInterrupt:
        return 0
    finally:
        app.live.stop()
    return 0


def _token_check(settings: Settings) -> Callable[[str], str | None]:
    """Asks the collector about a token. Raises UsageError where it lets in everybody, or there is none."""
    if settings.store is not None:
        raise UsageError(
            "A store file knows no tokens to sign in with: say --insecure, or name a --collector."
        )

    def why_not(token: str | None) -> str | None:
        try:
            with closing(open_source(settings.collector, token, None, settings.tls_ca)) as source:
                source.health()
        except HeadwaterError as error:
            return str(error)
        return None

    if why_not(None) is None:
        raise UsageError(
            f"--web {settings.web} needs people to sign in, and the collector asks for no token: make one with "
            "`headwater token create --role viewer`, or say --insecure if everybody may read."
        )
    return why_not


async def _serve(application: Any, sock: socket.socket) -> None:
    server = uvicorn.Server(
        uvicorn.Config(application, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    )
    loop = asyncio.get_running_loop()

    def end() -> None:
        server.should_exit = True

    task = asyncio.ensure_future(server.serve([sock]))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    await task


def listening(address: str) -> socket.socket:
    """A listening socket on HOST:PORT; raises Unavailable when it cannot be opened."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, int(port)))
        sock.listen(256)
    except OSError as error:
        sock.close()
        raise Unavailable(
            f"{address} cannot be opened ({error.strerror}); choose another with --web HOST:PORT."
        ) from None
    return sock
