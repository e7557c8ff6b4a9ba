"""Alert rules and webhooks as they stand in the configuration file; a wrong one is refused at the start.

[alerts]
every = "15s"                              # between two looks
[[alerts.rules]]
name = "a group stands still"
sql = "select consumer_group, topic, evidence from group_health where status in ('stopped', 'stalled')"
labels = ["consumer_group", "topic"]       # tell one alert of the rule from another
for = "1m"                                 # pending before it fires
summary = "{consumer_group} on {topic}: {evidence}"
severity = "page"
to = ["team"]                              # default: all webhooks
[alerts.webhooks.team]
url = "${TEAM_HOOK}"                       # secrets come from the environment
format = "slack"                           # or json
headers = { Authorization = "Bearer ${TEAM_TOKEN}" }
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any
from urllib.parse import urlsplit

from headwater_analysis.errors import UsageError
from headwater_analysis.window import parse_duration
from headwater_collector.environment import filled

FORMATS = ("json", "slack")
EVERY_SECONDS = 15.0
"""Three polls of Kafka: what holds is not told much later, and rules cost little."""
MOST_RULES = 200
MOST_WEBHOOKS = 20

_TABLE = {"every", "rules", "webhooks"}
_RULE = {"name", "sql", "labels", "for", "summary", "severity", "to"}
_WEBHOOK = {"url", "format", "headers"}


@dataclass(frozen=True)
class Rule:
    """One question; each row of its answer is one alert."""

    name: str
    sql: str
    labels: tuple[str, ...]
    """Columns that tell one alert of this rule from another."""
    hold_seconds: float
    """For which an alert is pending before it fires."""
    summary: str
    """A sentence with {columns} in it; empty: the labels themselves."""
    severity: str
    to: tuple[str, ...]
    """Names of webhooks."""


@dataclass(frozen=True)
class Webhook:
    """Somebody who is told."""

    name: str
    url: str
    format: str
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def shown(self) -> str:
        """The URL without path and query, which are secret with many services."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


@dataclass(frozen=True)
class AlertSettings:
    """The table [alerts]."""

    rules: tuple[Rule, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    every_seconds: float = EVERY_SECONDS


def alert_settings(table: Any) -> AlertSettings:
    """What [alerts] of the configuration says. Raises UsageError."""
    table = _table(table, "[alerts]", _TABLE)
    hooks = _table(table.get("webhooks", {}), "[alerts.webhooks]", None)
    webhooks = tuple(_webhook(name, one) for name, one in hooks.items())
    given = table.get("rules", [])
    if not isinstance(given, list):
        raise UsageError("alerts.rules in the configuration is no list; write [[alerts.rules]].")
    if len(given) > MOST_RULES or len(webhooks) > MOST_WEBHOOKS:
        raise UsageError(f"[alerts] takes at most {MOST_RULES} rules and {MOST_WEBHOOKS} webhooks.")
    rules = tuple(_rule(number, one, tuple(hooks)) for number, one in enumerate(given, 1))
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f'Two alert rules are named "{name}"; give each a name of its own.')
    every = _seconds(table.get("every", f"{EVERY_SECONDS:g}s"), "every in [alerts]")
    if every < 1:
        raise UsageError("every in [alerts] must be at least 1s.")
    return AlertSettings(rules, webhooks, every)


def _rule(number: int, table: Any, webhooks: tuple[str, ...]) -> Rule:
    name = table.get("name") if isinstance(table, Mapping) else None
    if not isinstance(name, str) or not name:
        raise UsageError(f'Alert rule {number} has no name; add name = "…".')
    place = f'Alert rule "{name}"'
    table = _table(table, place, _RULE)
    sql, labels, to = table.get("sql"), table.get("labels"), table.get("to", list(webhooks))
    if not isinstance(sql, str) or not sql.strip():
        raise UsageError(f'{place} has no question; add sql = "select …".')
    if not _texts(labels):
        raise UsageError(
            f'{place} needs labels, the columns that tell one alert from another, such as ["consumer_group", '
            '"topic"]; [] makes one alert of all rows.'
        )
    if not _texts(to):
        raise UsageError(f"{place}: to takes a list of names of webhooks.")
    for one in to:
        if one not in webhooks:
            known = ", ".join(webhooks) or "none"
            raise UsageError(
                f'{place} tells "{one}", but there is no [alerts.webhooks.{one}]; there is {known}.'
            )
    summary = _text(table.get("summary", ""), f"{place}: summary")
    placeholders(summary, place)
    return Rule(
        name,
        sql.strip().rstrip(";").rstrip(),
        tuple(labels),
        _seconds(table.get("for", "0s"), f"{place}: for"),
        summary,
        _text(table.get("severity", "warning"), f"{place}: severity"),
        tuple(to),
    )


def placeholders(summary: str, place: str) -> set[str]:
    """Columns that a summary names. Raises UsageError."""
    try:
        found = {name for _, name, _, _ in Formatter().parse(summary) if name is not None}
    except ValueError as error:
        raise UsageError(f"{place}: summary cannot be read: {error}.") from None
    if bad := sorted(name for name in found if not re.fullmatch(r"\w+", name)):
        raise UsageError(f"{place}: summary has {{{bad[0]}}}, but takes names of columns, such as {{topic}}.")
    return found


def _webhook(name: str, table: Any) -> Webhook:
    place = f"[alerts.webhooks.{name}]"
    table = _table(table, place, _WEBHOOK)
    url = filled(_text(table.get("url", ""), f"url in {place}"), f"url in {place}")
    try:
        good = urlsplit(url).scheme in ("http", "https") and bool(urlsplit(url).hostname)
    except ValueError:
        good = False
    if not good:
        raise UsageError(f"url in {place} must begin with http:// or https:// and name a host.")
    kind = table.get("format", "json")
    if kind not in FORMATS:
        raise UsageError(f"format in {place} is {kind!r}, but takes one of {', '.join(FORMATS)}.")
    headers = _table(table.get("headers", {}), f"headers in {place}", None)
    pairs = [
        (key, filled(_text(value, f"{key} in {place}"), f"{key} in {place}"))
        for key, value in headers.items()
    ]
    for key, value in pairs:
        if not re.fullmatch(r"[\w-]+", key) or "\n" in value or "\r" in value:
            raise UsageError(f"{key} in {place} is no header.")
    return Webhook(name, url, kind, tuple(pairs))


def _table(value: Any, place: str, known: set[str] | None) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{place} in the configuration is no table.")
    for key in value:
        if known is not None and key not in known:
            raise UsageError(f"{place}: {key} is no setting; there are {', '.join(sorted(known))}.")
    return value


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and one for one in value)


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{place} takes a text.")
    return value


def _seconds(value: Any, place: str) -> float:
    text = _text(value, place)
    try:
        return parse_duration(text)
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from None
