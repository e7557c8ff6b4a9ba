"""The browser screens over a real collector's API: what each page shows, and where it leads."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

import api_helpers
import store_helpers as told
from dashboard_helpers import Browser, browsing, dashboard
from headwater_collector.store import Store
from store_helpers import open_store
from tui_helpers import a_told_store

pytestmark = pytest.mark.browser


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with a_told_store(tmp_path, monkeypatch) as opened:
        yield opened


@pytest.fixture
def web(store: Store) -> Iterator[str]:
    with api_helpers.serving(store) as api, dashboard(api) as url:
        yield url


@pytest.fixture
def browser(web: str, chromium: Path) -> Iterator[Browser]:
    with browsing(web, chromium) as opened:
        yield opened
        assert opened.errors == []
        assert opened.elsewhere == []


def test_the_overview_names_the_worst_of_everything(browser: Browser) -> None:
    browser.go("/")
    text = browser.shown("stalled", "ValueError", "checkout", "● live")
    assert "1 of 1 need a look" in text
    assert "≈1 min 04 s ±5.00 s" in text
    assert browser.page.get_attribute("html", "lang") == "en"
    assert browser.page.inner_text("h1") == "Overview"


def test_flows_are_listed_filtered_and_opened(browser: Browser) -> None:
    browser.go("/flows")
    browser.shown("2 flows in the last 1h", "checkout → payments → inventory")
    browser.page.fill("#flows-filter", "status:error")
    browser.page.keyboard.press("Enter")
    browser.shown("1 flows (of 2)")
    browser.until(lambda: "q=status%3Aerror" in browser.page.url, "the filter in the address")
    browser.page.reload()
    browser.shown("1 flows (of 2)")
    browser.page.fill("#flows-filter", "colour:red")
    browser.page.keyboard.press("Enter")
    browser.shown("no 'colour' to filter by")
    browser.page.fill("#flows-filter", "")
    browser.page.keyboard.press("Enter")
    browser.shown("2 flows in")
    browser.page.click(".ag-center-cols-container a")
    browser.shown("checkout → orders → payments → paid → inventory", inside="#flow-path")
    browser.page.go_back()
    browser.shown("2 flows in the last 1h")


def test_a_flow_is_drawn_with_its_waits_and_its_address_is_its_state(browser: Browser) -> None:
    flow, charge = told.trace("order-2"), told.span("order-2 charge")
    browser.go(f"/flow/{flow}?span={charge}")
    browser.shown("GatewayTimeout", "orders@0:8", inside="#span-panel")
    rows = browser.page.evaluate(
        "[...document.querySelectorAll('#waterfall [role=gridcell]')].map((cell) => cell.textContent)"
    )
    assert rows[2] == "payments: order-2 charge, 80 ms, error, wait 2.00 s in orders · payments"
    drawn = "window.__headwater.waterfall"
    assert browser.page.evaluate(f"{drawn}.rows.length") == 5
    assert browser.page.evaluate(f"{drawn}.elastic") is True
    gap = max(browser.page.evaluate(f"{drawn}.data.gaps"), key=lambda one: one["to"] - one["from"])
    width = f"{drawn}.along({gap['to']}) - {drawn}.along({gap['from']})"
    assert browser.page.evaluate(width) < 0.2 < gap["to"] - gap["from"]
    browser.page.focus("#waterfall")
    browser.page.keyboard.press("e")
    assert browser.page.evaluate(f"{drawn}.elastic") is False
    assert browser.page.evaluate(width) == pytest.approx(gap["to"] - gap["from"])
    browser.page.keyboard.press("z")
    assert browser.page.evaluate(f"{drawn}.rows.length") == 3
    browser.page.keyboard.press("k")
    browser.shown("order-2 send orders", inside="#span-panel")
    assert f"span={told.span('order-2 send orders')}" in browser.page.url
    assert "axis=linear" in browser.page.url
    address = browser.page.url
    browser.page.goto(address)
    browser.shown("order-2 send orders", inside="#span-panel")
    assert browser.page.evaluate(f"{drawn}.elastic") is False
    assert browser.page.url == address


@pytest.mark.parametrize("name", ["/trace/{trace}", "/go/{span}", "/go/orders@0:7", "/flow/orders@0:7"])
def test_a_flow_is_found_by_any_of_its_names(browser: Browser, name: str) -> None:
    browser.go(name.format(trace=told.trace("order-1"), span=told.span("order-1 charge")))
    browser.shown("checkout → orders → payments → paid → inventory", inside="#flow-path")


def test_what_is_not_there_is_one_sentence(browser: Browser) -> None:
    browser.go("/flow/ffffffffffffffffffffffffffffffff")
    browser.shown("No flow holds")
    browser.go("/nowhere")
    browser.shown("There is no page /nowhere")
    browser.errors.clear()


def test_a_queue_shows_lag_in_messages_and_seconds_with_its_course(browser: Browser) -> None:
    browser.go("/queues")
    browser.shown("payments", "■ stalled", "12", "≈1 min 04 s ±5.00 s", "no commit for 2 min")
    browser.shown("share groups, whose lag cannot be asked for: billing-[share]")
    browser.page.click("text=orders")
    browser.shown("payments on orders", "21")
    browser.until(lambda: browser.page.query_selector(".js-plotly-plot") is not None, "the chart")
    assert "share" not in browser.page.inner_html(".js-plotly-plot").lower()


def test_a_dead_letter_leads_to_its_origin_and_its_flow(browser: Browser) -> None:
    browser.go("/dead-letters")
    browser.shown("1 dead letters in 1 failure groups", "no such currency", "orders@0:8")
    browser.page.click("text=orders-dlq@0:3")
    browser.shown("kafka_dlt-original-topic", "order-2")
    browser.page.click("dd a >> nth=0")
    browser.shown("checkout → orders → payments → paid → inventory", inside="#flow-path")


def test_sql_is_run_and_a_mistake_is_one_sentence(browser: Browser) -> None:
    browser.go("/sql")
    browser.shown("One row a span")
    browser.page.fill("#sql-text", "select service, count(*) as n from spans group by all order by all;")
    browser.page.keyboard.press("Control+Enter")
    browser.shown("3 rows", "inventory")
    browser.page.fill("#sql-text", "drop view spans")
    browser.page.keyboard.press("Control+Enter")
    browser.shown("✗ Only")


def test_what_is_new_comes_without_asking(browser: Browser, store: Store) -> None:
    browser.go("/flows")
    browser.shown("2 flows in the last 1h", "● live")
    told.fill(store, [told.work("late", "order-3", "late entry", 5000, 10)])
    browser.shown("3 flows in the last 1h", "late entry")
    browser.page.locator("h1").click()
    browser.page.keyboard.press(" ")
    browser.shown("⏸ paused")
    told.fill(store, [told.work("late", "order-4", "later entry", 6000, 10)])
    browser.page.wait_for_timeout(1_500)
    assert "later entry" not in browser.page.inner_text("body")
    browser.page.keyboard.press(" ")
    browser.shown("4 flows in the last 1h")


def test_one_switch_colours_everything_and_is_remembered(browser: Browser) -> None:
    browser.go("/flows")
    browser.shown("2 flows")
    browser.page.click("#scheme-choice >> text=dark")
    attributes = (
        "[document.documentElement.dataset.mantineColorScheme, document.documentElement.dataset.agThemeMode]"
    )
    browser.until(lambda: browser.page.evaluate(attributes) == ["dark", "dark"], "the dark colours")
    dark = browser.page.evaluate("getComputedStyle(document.body).backgroundColor")
    browser.page.reload()
    browser.shown("2 flows")
    assert browser.page.evaluate(attributes) == ["dark", "dark"]
    assert (
        browser.page.evaluate("getComputedStyle(document.body).backgroundColor") == dark == "rgb(20, 24, 29)"
    )


def test_number_keys_lead_to_the_screens_and_question_mark_to_the_keys(browser: Browser) -> None:
    browser.go("/")
    browser.shown("● live")
    for key, title in (("3", "Flows"), ("5", "Queues"), ("6", "Dead letters"), ("8", "SQL")):
        browser.page.locator("h1").click()
        browser.page.keyboard.press(key)
        browser.until(lambda wanted=title: browser.page.inner_text("h1") == wanted, title)  # type: ignore[misc]
    browser.page.locator("h1").click()
    browser.page.keyboard.press("?")
    browser.shown("Space pauses")


def test_without_a_collector_the_badge_says_so_until_it_is_back(store: Store, chromium: Path) -> None:
    with ExitStack() as first:
        api = first.enter_context(api_helpers.serving(store))
        with dashboard(api) as url, browsing(url, chromium) as browser:
            browser.go("/")
            browser.shown("● live", "stalled")
            first.close()
            browser.shown("✗ disconnected", "stalled")
            with api_helpers.serving(store, address=api.removeprefix("http://")):
                browser.shown("● live")


def test_a_store_without_data_says_what_to_do(tmp_path: Path, chromium: Path) -> None:
    empty = open_store(tmp_path / "empty.duckdb")
    try:
        with api_helpers.serving(empty) as api, dashboard(api) as url, browsing(url, chromium) as browser:
            for place, words in (
                ("/", "No data yet"),
                ("/flows", "opentelemetry-instrument"),
                ("/queues", "watches no Kafka cluster"),
                ("/dead-letters", "That is how it should be"),
            ):
                browser.go(place)
                browser.shown(words)
    finally:
        empty.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_a_rule_of_accessibility(web: str, chromium: Path, scheme: str) -> None:
    with browsing(web, chromium, scheme) as browser:
        for place, words in (
            ("/", "stalled"),
            ("/flows", "checkout → payments → inventory"),
            (f"/flow/{told.trace('order-2')}", "order-2"),
            ("/queues", "stalled"),
            ("/dead-letters", "no such currency"),
            ("/sql", "One row a span"),
        ):
            browser.go(place)
            browser.shown(words, "● live")
            rules = {"runOnly": ["color-contrast"]} if scheme == "dark" else None
            found = Axe().run(browser.page, options=rules).response["violations"]
            assert [(place, one["id"], one["nodes"][0]["html"][:200]) for one in found] == []
