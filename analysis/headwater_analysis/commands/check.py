"""`headwater check`: are budgets kept, and is it as it was before; an exit code for pipelines."""

from __future__ import annotations

import time
from pathlib import Path

from headwater_analysis import format as fmt
from headwater_analysis.check import budgets, evaluation
from headwater_analysis.check.budgets import RATIOS
from headwater_analysis.check.evaluation import Finding
from headwater_analysis.errors import UsageError
from headwater_analysis.settings import (
    COLLECTOR,
    JSON,
    STORE,
    TOKEN,
    Command,
    Option,
    Positional,
    Settings,
    note,
    read,
)
from headwater_analysis.window import Window

from .printing import count_of, empty, opened, print_json, print_table, status_text

CHECK = Command(
    "check",
    "Looks whether the budgets of a file were kept in a window, and says which hop used up what is beyond; or, as "
    "`check steady`, whether two windows differ in throughput, latency, errors or lag by more than chance. Exit code "
    "1 says that a budget was not kept, or that something became worse. A budget, of which any limits may be left out: "
    '[[budget]] pathway = "checkout POST /orders" (or topic and group) quantile = 0.95 total = "2s" wait = "1s" '
    'work = "500ms" convergence = "5s" errors = "1%" dead_letters = 0 duplicates = 0 (lag = "30s" of a group).',
    (
        "headwater check budgets.toml --window 10m",
        "headwater check steady --baseline 40m..30m --window 10m..now",
        "headwater check budgets.toml --json --strict",
    ),
    (Positional("what", "a file of budgets, or the word steady"),),
    (
        Option("window", "How far back to look, or from when to when (A..B).", "15m", metavar="DURATION"),
        Option("baseline", "What steady compares with (A..B): times, or how long ago.", None, metavar="A..B"),
        Option(
            "tolerance", "Share of the value before that a difference must exceed to count.", 0.05, "number"
        ),
        Option("strict", "Too little seen for a verdict counts as a bad one.", False, "flag"),
        COLLECTOR,
        TOKEN,
        STORE,
        JSON,
    ),
)


_ORDER = ("worse", "better", "steady", "unknown")


def run(argv: list[str]) -> int:
    """The command; gives its exit code."""
    settings = read(CHECK, argv)
    return _steady(settings) if settings.what == "steady" else _budgets(settings)


def _window(text: str) -> Window:
    return Window.between(text) if ".." in text else Window.last(text)


def _budgets(settings: Settings) -> int:
    if settings.baseline is not None:
        raise UsageError("--baseline is for `headwater check steady`.")
    wanted = budgets.read(Path(settings.what).expanduser())
    window = _window(settings.window)
    with opened(settings) as source:
        found = evaluation.evaluate(source, wanted, window)
    if settings.json:
        print_json(found)
    else:
        print_table(
            ("budget", "measure", "limit", "seen", "of", "verdict", "used up by"),
            (
                (
                    one.budget,
                    one.measure if one.quantile is None else f"{one.measure} p{one.quantile * 100:g}",
                    _shown(one.measure, one.limit),
                    _shown(one.measure, one.seen),
                    fmt.count(one.observed),
                    status_text(one.verdict),
                    _blamed(one),
                )
                for one in found
            ),
            right=("limit", "seen", "of"),
        )
        for one in found:
            if one.examples:
                note(f"{one.budget}, {one.measure}: headwater flow {one.examples[0]}")
    bad = ("breach", "unknown") if settings.strict else ("breach",)
    return 1 if any(one.verdict in bad for one in found) else 0


def _shown(measure: str, value: float | None) -> str:
    if measure in RATIOS:
        return fmt.ratio(value)
    return fmt.duration_ms(value * 1000 if measure == "lag" and value is not None else value)


def _blamed(found: Finding) -> str:
    parts = []
    for one in found.blamed:
        place = " × ".join(name for name in (one.topic, one.consumer_group) if name)
        parts.append(f"{one.part} on {place} {one.share:.0%}")
    return ", ".join(parts)


def _steady(settings: Settings) -> int:
    # Loaded only here: numpy takes longer than a question.
    from headwater_analysis.check import steady

    if settings.baseline is None:
        raise UsageError("Say what to compare with: --baseline 40m..30m --window 10m..now.")
    before, after = Window.between(settings.baseline), _closed(_window(settings.window))
    with opened(settings) as source:
        found = steady.compare(source, before, after, settings.tolerance)
    if settings.json:
        print_json(found)
    elif not found:
        empty("Neither window has a flow or a poll of a group in it.")
    else:
        print_table(
            ("what", "measure", "before", "after", "difference", "95 % interval", "verdict"),
            (
                (
                    one.what,
                    one.measure,
                    _value(one.measure, one.before),
                    _value(one.measure, one.after),
                    _value(one.measure, one.difference),
                    ""
                    if one.low is None
                    else f"{_value(one.measure, one.low)} … {_value(one.measure, one.high)}",
                    status_text(one.verdict),
                )
                for one in sorted(found, key=lambda one: _ORDER.index(one.verdict))
                if one.verdict != "unknown"
            ),
            right=("before", "after", "difference", "95 % interval"),
        )
        worse = sum(one.verdict == "worse" for one in found)
        unknown = sum(one.verdict == "unknown" for one in found)
        note(f"{count_of(worse, 'measure')} worse; {fmt.count(unknown)} seen too rarely for a verdict.")
    bad = ("worse", "unknown") if settings.strict else ("worse",)
    return 1 if any(one.verdict in bad for one in found) else 0


def _closed(window: Window) -> Window:
    """What is open towards now ends now."""
    return window if window.to_ns is not None else Window(window.from_ns, time.time_ns())


def _value(measure: str, value: float | None) -> str:
    if value is None:
        return fmt.count(None)
    sign, size = ("−" if value < 0 else ""), abs(value)
    if measure == "throughput":
        return f"{sign}{size:,.1f}/min"
    if measure == "errors":
        return f"{sign}{fmt.ratio(size)}"
    return f"{sign}{fmt.duration_ms(size * 1000 if measure == 'lag' else size)}"
