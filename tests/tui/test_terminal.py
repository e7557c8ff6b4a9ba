"""The terminal screens over a real collector's API: what they show, where keys lead, what they say when it is bad."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.widgets import Input, TextArea

import api_helpers
import store_helpers as told
from headwater_collector.store import Store
from headwater_tui.state import Location
from headwater_tui.widgets.table import Table
from headwater_tui.widgets.waterfall import Waterfall
from store_helpers import open_store
from tui_helpers import a_told_store, shown, terminal, text_of, until

GOLDEN = Path(__file__).parent / "screens"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with a_told_store(tmp_path, monkeypatch) as opened:
        yield opened


@pytest.fixture
def url(store: Store) -> Iterator[str]:
    with api_helpers.serving(store) as address:
        yield address


async def test_the_overview_names_the_worst_of_everything(url: str) -> None:
    async with terminal(url) as (app, pilot):
        text = await shown(app, pilot, "stalled", "ValueError", "checkout", "● live")
        assert "1 of 1 groups need a look" in text
        assert "prod ✓ up" in text
        assert "≈1 min 04 s ±5.00 s" in text


async def test_a_flow_is_opened_from_the_list_and_left_again(url: str) -> None:
    async with terminal(url, "/flows") as (app, pilot):
        await shown(app, pilot, "2 flows in the last 1h", "checkout → payments")
        await pilot.press("j", "enter")
        await shown(app, pilot, " charge", "checkout → orders → payments → paid → inventory")
        await pilot.press("w")
        await shown(app, pilot, "waited         2.00 s in orders/0")
        await pilot.press("q")
        await shown(app, pilot, "2 flows in the last 1h")
        table = app.query_one("#flow-list", Table)
        assert table.cursor == 1


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
async def test_the_waterfall_looks_as_agreed(url: str, width: int, height: int) -> None:
    async with terminal(url, f"/flow/{told.trace('order-2')}", (width, height)) as (app, pilot):
        await shown(app, pilot, "order-2 charge")
        await pilot.press("n")
        # The span's attributes come with the next answer; in 24 lines they lie below the edge.
        await shown(app, pilot, "says           GatewayTimeout", *(["messaging."] if height > 24 else []))
        lines = text_of(app).splitlines()
    seen = "\n".join(line for line in lines if "collector http" not in line) + "\n"
    golden = GOLDEN / f"flow-{width}x{height}.txt"
    assert seen == golden.read_text("utf-8")


async def test_keys_fold_find_errors_and_waits_and_open_the_gap(url: str) -> None:
    async with terminal(url, f"/flow/{told.trace('order-2')}") as (app, pilot):
        await shown(app, pilot, "order-2 charge")
        fall = app.query_one(Waterfall)
        assert fall.is_elastic
        await pilot.press("e")
        assert not fall.is_elastic
        await pilot.press("n")
        assert fall.current is not None and fall.current.span.name == "order-2 charge"
        await pilot.press("b")
        assert fall.current.span.name == "order-2 send orders"
        await pilot.press("w")
        assert fall.current.span.name == "order-2 charge"
        rows = len(fall.rows)
        await pilot.press("z")
        assert len(fall.rows) == rows - 2
        assert "▸2" in await shown(app, pilot, "▸2")


async def test_a_filter_narrows_and_a_wrong_one_says_where(url: str) -> None:
    async with terminal(url, "/flows") as (app, pilot):
        await shown(app, pilot, "2 flows")
        await pilot.press("slash")
        app.query_one("#line", Input).value = "status:error"
        await pilot.press("enter")
        await shown(app, pilot, "1 flows (of 2)", "filter: status:error")
        await pilot.press("slash")
        app.query_one("#line", Input).value = "colour:red"
        await pilot.press("enter")
        await shown(app, pilot, "no 'colour' to filter by")
        await pilot.press("slash")
        app.query_one("#line", Input).value = "service:nobody"
        await pilot.press("enter")
        await shown(app, pilot, "0 of 2 flows pass the filter")


async def test_queues_show_lag_in_messages_and_seconds_with_the_evidence(url: str) -> None:
    async with terminal(url, "/queues", (160, 40)) as (app, pilot):
        text = await shown(app, pilot, "payments", "stalled", "no commit for 2 min", "12")
        assert "≈1 min 04 s ±5.00 s" in text
        assert "21" in text  # the end offset of its partition
        assert "share groups, whose lag cannot be asked for: billing-[share]" in text


async def test_a_dead_letter_leads_to_its_flow(url: str) -> None:
    async with terminal(url, "/dead-letters") as (app, pilot):
        await shown(
            app, pilot, "1 dead letters in 1 failure groups", "orders@0:8", "kafka_dlt-original-topic"
        )
        await pilot.press("t")
        await shown(app, pilot, "order-2 charge")


@pytest.mark.parametrize("anything", ["trace", "span", "orders@0:7", "/trace/TRACE"])
async def test_go_to_finds_a_flow_by_any_of_its_names(url: str, anything: str) -> None:
    trace = told.trace("order-1")
    text = {"trace": trace, "span": told.span("order-1 charge")}.get(
        anything, anything.replace("TRACE", trace)
    )
    async with terminal(url, "/queues") as (app, pilot):
        await shown(app, pilot, "stalled")
        await pilot.press("colon")
        app.query_one("#line", Input).value = text
        await pilot.press("enter")
        await shown(app, pilot, "order-1 charge")


async def test_sql_is_run_and_a_mistake_is_one_sentence(url: str) -> None:
    async with terminal(url, "/sql") as (app, pilot):
        await shown(app, pilot, "blockers", "One row a")
        app.query_one(TextArea).text = "select service, count(*) as n from spans group by all order by all;"
        await pilot.press("ctrl+r")
        await shown(app, pilot, "3 rows", "inventory")
        app.query_one(TextArea).text = "from span_rows"
        await pilot.press("ctrl+r")
        await shown(app, pilot, "no relation 'span_rows'")
        app.query_one(TextArea).text = "drop view spans"
        await pilot.press("ctrl+r")
        await shown(app, pilot, "✗")


async def test_new_flows_come_by_themselves_and_the_cursor_holds_its_row(url: str, store: Store) -> None:
    async with terminal(url, "/flows") as (app, pilot):
        await shown(app, pilot, "2 flows")
        table = app.query_one("#flow-list", Table)
        await pilot.press("j")
        assert table.current is not None
        held = table.current.flow_id
        told.fill(store, [told.work("late", "order-3", "late entry", 5000, 10)])
        await shown(app, pilot, "3 flows", "late entry", "▲ 1 new")
        assert table.current.flow_id == held
        await pilot.press("g")
        await until(app, pilot, lambda text: "▲" not in text.splitlines()[1])


async def test_paused_the_screen_stands_still_and_then_catches_up(url: str, store: Store) -> None:
    async with terminal(url, "/flows") as (app, pilot):
        await shown(app, pilot, "2 flows")
        await pilot.press("space")
        await shown(app, pilot, "paused")
        told.fill(store, [told.work("late", "order-3", "late entry", 5000, 10)])
        asked = app.poller.asked_at
        await pilot.pause(0.3)
        assert app.poller.asked_at == asked
        await pilot.press("space")
        await shown(app, pilot, "3 flows")


async def test_without_a_collector_the_last_picture_stays_and_says_so_until_it_is_back(store: Store) -> None:
    with api_helpers.serving(store) as url:
        async with terminal(url, "/flows") as (app, pilot):
            await shown(app, pilot, "2 flows")
            app.poller.source._parts = app.poller.source._parts._replace(netloc="127.0.0.1:9")  # type: ignore[attr-defined]
            app.poller.source.close()
            text = await shown(app, pilot, "disconnected", "headwater serve")
            assert "2 flows" in text
            port = url.rpartition(":")[2]
            app.poller.source._parts = app.poller.source._parts._replace(netloc=f"127.0.0.1:{port}")  # type: ignore[attr-defined]
            await shown(app, pilot, "● live")


async def test_a_store_without_data_says_what_to_do(tmp_path: Path) -> None:
    empty = open_store(tmp_path / "empty.duckdb")
    try:
        with api_helpers.serving(empty) as url:
            for place, words in (
                ("/", "No flow has arrived yet"),
                ("/flows", "opentelemetry-instrument"),
                ("/queues", "watches no Kafka cluster"),
                ("/dead-letters", "That is how it should be"),
            ):
                async with terminal(url, place, (80, 24)) as (app, pilot):
                    await shown(app, pilot, words)
    finally:
        empty.close()


async def test_a_flow_that_is_not_there_is_one_sentence(url: str) -> None:
    async with terminal(url, "/flow/ffffffffffffffffffffffffffffffff") as (app, pilot):
        await shown(app, pilot, "No flow holds")


async def test_ten_thousand_spans_cost_only_the_lines_in_sight(store: Store, url: str) -> None:
    spans = [told.work("big", "big", "root", 0, 20_000)]
    spans += [told.work("big", "big", f"step {i}", i, 5, "root") for i in range(10_000)]
    told.fill(store, spans)
    async with terminal(url, f"/flow/{told.trace('big')}") as (app, pilot):
        await shown(app, pilot, "10,001 spans", "step 1")
        fall = app.query_one(Waterfall)
        await pilot.press("G")
        await shown(app, pilot, "step 9999")
        assert len(fall.rows) == 10_001
        assert fall.lines_built < 1_000


@pytest.mark.parametrize(
    "text",
    [
        "/",
        "/flows?q=status%3Aerror",
        "/flow/abc?span=def",
        "/queue/orders",
        "/dead-letters/orders-dlq/0/3",
        "/sql",
    ],
)
def test_an_address_reads_back_as_written(text: str) -> None:
    assert Location.parse(text).text() == text


async def test_a_row_can_be_copied_as_json(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []

    def keep(_app: object, text: str) -> str:
        copied.append(text)
        return "copied"

    monkeypatch.setattr("headwater_tui.clipboard.copy", keep)
    async with terminal(url, "/flows") as (app, pilot):
        await shown(app, pilot, "2 flows")
        await pilot.press("Y", "y", "u")
        await until(app, pilot, lambda _text: len(copied) == 3)
    row = json.loads(copied[0])
    assert copied[1] == row["flow_id"]
    assert copied[2] == "/flows"
