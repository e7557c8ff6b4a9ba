"""The dashboard on a real store behind a real API, served for real, and a Chromium that looks at it."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from playwright.sync_api import Page, sync_playwright

from headwater_analysis.remote import RemoteSource
from headwater_dashboard.app import create_app
from headwater_dashboard.main import listening

BROWSER_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                     "--disable-component-update", "--disable-sync"]  # fmt: skip
PATIENCE_SECONDS = 120


@contextmanager
def dashboard(
    api: str,
    token: str | None = None,
    check_token: Callable[[str], str | None] | None = None,
    local_only: bool = True,
) -> Iterator[str]:
    """The URL of a dashboard for a collector's API, in a thread of its own."""
    app = create_app(RemoteSource(api, token), local_only, check_token)
    sock = listening("127.0.0.1:0")
    server = uvicorn.Server(uvicorn.Config(app.server, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([sock])))
    thread.start()
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        app.live.stop()


class Browser:
    """A page that notes what goes wrong in it and what it asks of anybody else."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        own = (base, base.replace("http", "ws"), "data:", "blob:")
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        page.on(
            "request", lambda asked: None if asked.url.startswith(own) else self.elsewhere.append(asked.url)
        )
        page.on(
            "websocket",
            lambda opened: None if opened.url.startswith(own) else self.elsewhere.append(opened.url),
        )

    def go(self, place: str) -> None:
        """Opens a place and waits until its page is drawn."""
        self.page.goto(self.base + place)
        self.page.wait_for_function(
            "document.querySelector('#page') && document.querySelector('#page').children.length > 0"
        )

    def shown(self, *words: str, inside: str = "body") -> str:
        """Waits until all words stand there, and gives the text; fails with it."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            text = self.page.inner_text(inside)
            if all(word in text for word in words):
                return text
            assert time.monotonic() < end, f"{words} did not come; there was\n{text}"
            self.page.wait_for_timeout(50)

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Waits for something about the page."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < end, f"{what} did not come"
            self.page.wait_for_timeout(50)


@contextmanager
def browsing(base: str, chromium: Path, scheme: str = "light") -> Iterator[Browser]:
    """A fresh browser."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(chromium), args=BROWSER_ARGUMENTS)
        context = running.new_context(viewport={"width": 1400, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        try:
            yield Browser(context.new_page(), base)
        finally:
            running.close()
