"""What people read and write: durations, lag times, coordinates, windows and the filter line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater_analysis import format as fmt
from headwater_analysis.coordinates import Coordinates, parse
from headwater_analysis.errors import UsageError
from headwater_analysis.window import Window, parse_duration


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "–"), (0, "0 µs"), (0.25, "250 µs"), (1.25, "1.2 ms"), (12.4, "12 ms"), (999.4, "999 ms"),
        (999.6, "1.00 s"), (8_200, "8.20 s"), (12_400, "12.4 s"), (59_960, "1 min 00 s"),
        (185_000, "3 min 05 s"), (7_800_000, "2 h 10 min"), (200_000_000, "2 d 7 h"), (-5, "-5.0 ms"),
    ],
)  # fmt: skip
def test_a_duration_keeps_the_figures_a_reader_can_use(milliseconds: float | None, text: str) -> None:
    assert fmt.duration_ms(milliseconds) == text


@pytest.mark.parametrize(
    ("sentence", "seconds", "method", "error", "text"),
    [
        ("unknown is a dash, never 0", None, None, None, "–"),
        ("caught up is exactly 0", 0.0, "record", 0.0, "0 s"),
        ("a record read is exact", 12.4, "record", 0.01, "12.4 s"),
        ("an estimate shows its bound", 12.0, "interpolated", 5.0, "≈12.0 s ±5.00 s"),
        ("beyond all samples it is a lower limit", 1800.0, "at_least", None, "≥ 30 min 00 s"),
    ],
)
def test_lag_time_shows_how_sure_it_is(
    sentence: str, seconds: float | None, method: str | None, error: float | None, text: str
) -> None:
    assert fmt.lag_time(seconds, method, error) == text, sentence


@pytest.mark.parametrize(
    "text", ["orders@3:1042", "orders/3/1042", "orders:3:1042", " orders@3:1042 ", "c1/orders@3:1042"]
)
def test_a_message_can_be_named_in_every_common_way(text: str) -> None:
    assert parse(text) == Coordinates("orders", 3, 1042, "c1" if "c1" in text else None)


@given(st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True), st.integers(0, 10**6), st.integers(0, 10**15))
def test_coordinates_read_back_as_written(topic: str, partition: int, offset: int) -> None:
    one = Coordinates(topic, partition, offset, "abc")
    assert parse(str(one)) == one


@pytest.mark.parametrize("text", ["", "orders", "orders@", "orders@x:1", "or ders@1:1", "orders@1:-1"])
def test_what_names_no_message_is_refused_with_the_form_to_use(text: str) -> None:
    with pytest.raises(UsageError, match="topic@partition:offset"):
        parse(text)


def test_windows_and_durations() -> None:
    assert [parse_duration(text) for text in ("500ms", "30s", "15m", "2h", "7d")] == [
        0.5,
        30,
        900,
        7200,
        604800,
    ]
    with pytest.raises(UsageError, match="15m"):
        parse_duration("soon")
    assert Window.last("1s", now_ns=10**9 * 5) == Window(4 * 10**9, None)
    assert Window(1, 2).where("t") == ("t >= make_timestamp_ns(?) and t < make_timestamp_ns(?)", [1, 2])
    assert Window().where("t") == ("true", [])


def test_a_service_has_one_colour_everywhere() -> None:
    assert fmt.service_colour("payments") == fmt.service_colour("payments")
    assert len({fmt.service_colour(f"service-{i}") for i in range(100)}) == 12
    assert fmt.state("falling_behind").word == "falling behind"
    assert fmt.state("brand_new").word == "brand_new"
