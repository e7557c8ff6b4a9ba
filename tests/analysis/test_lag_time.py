"""Lag time: the first method of the ladder that applies, and its bound."""

import pytest

from headwater_analysis.lag_time import EndHistory, LagTime, RecordTime, SentTimes, lag_time

NOW = 1000.0


def _ends(*samples: tuple[float, int]) -> EndHistory:
    history = EndHistory()
    for at, end in samples:
        history.add(at, end)
    return history


SAMPLED = _ends((900.0, 100), (910.0, 200), (920.0, 200), (990.0, 300))


@pytest.mark.parametrize(
    ("sentence", "lag", "committed", "ends", "record", "expected"),
    [
        ("unknown lag has no time", None, None, SAMPLED, None, LagTime(None, None, None)),
        ("lag 0 is exactly 0 s", 0, 300, SAMPLED, None, LagTime(0.0, "exact", 0.0)),
        (
            "the broker's own time is exact",
            *(100, 200, SAMPLED, RecordTime(200, 950.0, True)),
            LagTime(50.0, "record", 0.0),
        ),
        (
            "a producer's time between the two samples is believed",
            *(100, 200, SAMPLED, RecordTime(200, 950.0, False)),
            LagTime(50.0, "record", 0.0),
        ),
        (
            "a producer's clock may be a little off",
            *(100, 200, SAMPLED, RecordTime(200, 919.0, False)),
            LagTime(81.0, "record", 1.0),
        ),
        (
            "a record time outside is the event's, not the append's",
            *(100, 200, SAMPLED, RecordTime(200, 5.0, False)),
            LagTime(79.3, "interpolated", 69.3),
        ),
        (
            "a record behind removed ones is checked at its own offset",
            *(200, 100, SAMPLED, RecordTime(250, 955.0, False)),
            LagTime(45.0, "record", 0.0),
        ),
        (
            "without samples around it the record time stands unchecked",
            *(250, 50, SAMPLED, RecordTime(50, 800.0, False)),
            LagTime(200.0, "record_unchecked", None),
        ),
        (
            "between two samples the time is interpolated",
            *(151, 149, SAMPLED, None),
            LagTime(95.0, "interpolated", 5.0),
        ),
        ("older than all samples is at least that", 250, 50, SAMPLED, None, LagTime(100.0, "at_least", None)),
        ("nothing sampled, nothing known", 5, 5, EndHistory(), None, LagTime(None, None, None)),
    ],
)
def test_ladder(
    sentence: str,
    lag: int | None,
    committed: int | None,
    ends: EndHistory,
    record: RecordTime | None,
    expected: LagTime,
) -> None:
    found = lag_time(NOW, lag, committed, ends, record)
    assert found.method == expected.method, sentence
    assert found.seconds == pytest.approx(expected.seconds), sentence
    assert found.error_seconds == pytest.approx(expected.error_seconds), sentence


def test_a_history_keeps_first_and_last_of_a_run() -> None:
    history = _ends(*((float(i), 5) for i in range(100)), (100.0, 9))
    assert len(history) == 3
    assert history.around(5) == (99.0, 5, 100.0, 9)


def test_an_end_that_falls_starts_anew() -> None:
    history = _ends((1.0, 500), (2.0, 10))
    assert (len(history), history.first_at) == (1, 2.0)


def test_a_long_history_reaches_far_in_little_room() -> None:
    history = _ends(*((float(i), i) for i in range(10_000)))
    assert len(history) <= 720
    assert history.first_at == 0.0
    before, _, after, _ = history.around(9_990) or (0, 0, 0, 0)
    assert after - before == 1.0


def test_known_messages_around_it_come_before_samples_and_after_its_record() -> None:
    around = SentTimes(940.0, 950.0)
    assert lag_time(NOW, 151, 149, SAMPLED, None, around) == LagTime(55.0, "span", 5.0)
    assert lag_time(NOW, 151, 149, SAMPLED, None, SentTimes(940.0, 940.0)) == LagTime(60.0, "span", 0.0)
    own = RecordTime(149, 905.0, True)
    assert lag_time(NOW, 151, 149, SAMPLED, own, around) == LagTime(95.0, "record", 0.0)
    assert lag_time(NOW, 0, 149, SAMPLED, None, around) == LagTime(0.0, "exact", 0.0)
