"""`budgets.toml`: what is allowed, of whom."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headwater_analysis.errors import UsageError
from headwater_analysis.window import parse_duration

DURATIONS = ("total", "wait", "work", "convergence", "lag")
"""Limits that are durations; lag is that of the slowest partition."""
RATIOS = ("errors", "dead_letters", "duplicates")
"""Limits that are shares, 0 to 1."""
MEASURES = (*DURATIONS, *RATIOS)
QUANTILED = ("total", "wait", "work", "convergence")
OF_FLOWS = ("total", "wait", "work", "convergence", *RATIOS)
OF_HOPS = ("total", "wait", "work", "lag", *RATIOS)
KEYS = ("name", "pathway", "topic", "group", "quantile", "at_least", *MEASURES)


@dataclass(frozen=True)
class Budget:
    """One ``[[budget]]``: limits for a pathway, or for a topic, a group or both."""

    name: str
    pathway: str | None
    """Its id, or entry service and entry name with a space between."""
    topic: str | None
    group: str | None
    quantile: float
    """Of total, wait, work and convergence."""
    at_least: int
    """Flows or deliveries below which there is no verdict."""
    limits: Mapping[str, float]
    """By measure: milliseconds, seconds of lag, or a share."""


def read(path: Path) -> tuple[Budget, ...]:
    """The budgets of a file. Raises UsageError, with the place, for anything that is none."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The budgets {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"The budgets {path} are no TOML: {error}.") from None
    entries = document.get("budget")
    if set(document) != {"budget"} or not isinstance(entries, list) or not entries:
        raise UsageError(f"{path} has other things in it than [[budget]] tables, or none of them.")
    found = tuple(_budget(entry, f"budget {at} of {path}") for at, entry in enumerate(entries, 1))
    names = [budget.name for budget in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"Two budgets of {path} are called {twice!r}.")
    return found


def _budget(entry: Any, place: str) -> Budget:
    if not isinstance(entry, dict):
        raise UsageError(f"The {place} is no table; write [[budget]] above it.")
    for key in entry:
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(KEYS)}."
            raise UsageError(f"{key} in {place} is not known; {hint}")
    pathway, topic, group = (_text(entry, key, place) for key in ("pathway", "topic", "group"))
    if (pathway is None) == (topic is None and group is None):
        raise UsageError(f"The {place} is for a pathway, or for a topic, a group or both; say one of these.")
    own, whose = (OF_FLOWS, "pathway") if pathway is not None else (OF_HOPS, "topic or group")
    limits = {key: _limit(key, entry[key], place) for key in MEASURES if key in entry}
    if not limits:
        raise UsageError(f"The {place} limits nothing; there are {', '.join(own)}.")
    alien = next((key for key in limits if key not in own), None)
    if alien is not None:
        raise UsageError(f"{alien} in {place} is no measure of a {whose}; there are {', '.join(own)}.")
    quantile, at_least = entry.get("quantile", 0.95), entry.get("at_least", 20)
    if isinstance(quantile, bool) or not isinstance(quantile, int | float) or not 0 < quantile <= 1:
        raise UsageError(f"quantile in {place} is {quantile!r}, but takes a number such as 0.95, at most 1.")
    if isinstance(at_least, bool) or not isinstance(at_least, int) or at_least < 1:
        raise UsageError(f"at_least in {place} is {at_least!r}, but takes a whole number, 1 or more.")
    name = _text(entry, "name", place) or " ".join(
        part for part in (pathway, topic, group) if part is not None
    )
    return Budget(name, pathway, topic, group, float(quantile), at_least, limits)


def _text(entry: Mapping[str, Any], key: str, place: str) -> str | None:
    value = entry.get(key)
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise UsageError(f"{key} in {place} is {value!r}, but takes a text.")
    return value


def _limit(key: str, value: Any, place: str) -> float:
    if key in RATIOS:
        share = value
        if isinstance(value, str) and value.strip().endswith("%"):
            try:
                share = float(value.strip()[:-1]) / 100
            except ValueError:
                share = None
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise UsageError(f'{key} in {place} is {value!r}, but takes a share such as 0.01 or "1%".')
        return float(share)
    if not isinstance(value, str):
        raise UsageError(f'{key} in {place} is {value!r}, but takes a duration such as "500ms" or "2s".')
    try:
        seconds = parse_duration(value)
    except UsageError as error:
        raise UsageError(f"{key} in {place}: {error}") from None
    return seconds if key == "lag" else seconds * 1000
