"""How alerts come, stay and go: pure steps from one look to the next, and what is written down of them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .settings import Rule

FILE_NAME = "alerts.json"
MOST_ALERTS = 1000
"""Of one rule; whoever has more needs another question."""
LOOKS_UNTIL_RESOLVED = 2
"""A row that is missing once may be back at the next look."""
RESOLVED_KEPT_SECONDS = 3600.0
UNTOLD_KEPT_SECONDS = 86_400.0
"""For which a webhook may be away and still hear that something is over."""
MOST_CHARACTERS = 1000

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Alert:
    """One row of a rule's answer over time."""

    rule: str
    labels: dict[str, Any]
    state: str
    """pending | firing | resolved"""
    since: float
    """Seconds since the epoch, when the row was first there."""
    changed: float
    """When it got its state."""
    summary: str
    values: dict[str, Any]
    """The row's other columns when it was last there."""
    missing: int = 0
    """Looks running at which the row was not there."""
    told: dict[str, str] = field(default_factory=dict)
    """Webhook -> the state that it was told last."""

    @property
    def key(self) -> str:
        """What tells it from the rule's others."""
        return json.dumps(self.labels, sort_keys=True, default=str)


def step(rule: Rule, before: Sequence[Alert], rows: Sequence[Row], now: float, settling: bool) -> list[Alert]:
    """The rule's alerts after a look. `settling`: just started, when not to see a row does not mean that it is gone."""
    known = {alert.key: alert for alert in before}
    found: dict[str, Alert] = {}
    for row in rows:
        labels = {name: row[name] for name in rule.labels}
        values = {name: _short(value) for name, value in row.items() if name not in labels}
        fresh = Alert(rule.name, labels, "pending", now, now, _summary(rule, row), values)
        if fresh.key in found:
            continue
        old = known.pop(fresh.key, None)
        if old is not None and old.state != "resolved":
            fresh = replace(old, summary=fresh.summary, values=values, missing=0)
        elif old is not None:
            fresh = replace(fresh, told=old.told)
        if fresh.state == "pending" and now - fresh.since >= rule.hold_seconds:
            fresh = replace(fresh, state="firing", changed=now)
        found[fresh.key] = fresh
    for key, alert in known.items():
        if (gone := _gone(alert, now, settling)) is not None:
            found[key] = gone
    return list(found.values())


def _gone(alert: Alert, now: float, settling: bool) -> Alert | None:
    """An alert whose row is not there; None when nothing is left of it."""
    if alert.state == "resolved":
        all_told = all(state == "resolved" for state in alert.told.values())
        kept = RESOLVED_KEPT_SECONDS if all_told else UNTOLD_KEPT_SECONDS
        return alert if now - alert.changed < kept else None
    if settling:
        return alert
    if alert.state == "pending":
        return None
    missing = alert.missing + 1
    if missing < LOOKS_UNTIL_RESOLVED:
        return replace(alert, missing=missing)
    return replace(alert, state="resolved", changed=now, missing=0)


def untold(alerts: Sequence[Alert], rule: Rule, webhook: str) -> list[Alert]:
    """What a webhook does not know yet: who never heard that it fires need not hear that it is over."""
    if webhook not in rule.to:
        return []
    return [
        alert
        for alert in alerts
        if (alert.state == "firing" and alert.told.get(webhook) != "firing")
        or (alert.state == "resolved" and alert.told.get(webhook) == "firing")
    ]


def _summary(rule: Rule, row: Row) -> str:
    shown = {name: "unknown" if value is None else value for name, value in row.items()}
    if rule.summary:
        try:
            return rule.summary.format_map(shown)[:MOST_CHARACTERS]
        except (ValueError, TypeError):  # a form that does not fit, such as {lag:.1f} of what is unknown
            return rule.summary[:MOST_CHARACTERS]
    said = ", ".join(f"{name} {shown[name]}" for name in rule.labels)
    return f"{rule.name}: {said}"[:MOST_CHARACTERS] if said else rule.name


def _short(value: Any) -> Any:
    return value[:MOST_CHARACTERS] if isinstance(value, str) else value


def load(path: Path) -> list[Alert] | None:
    """What an earlier run wrote down; None where it cannot be read, [] where there is none."""
    try:
        document = json.loads((path / FILE_NAME).read_text(encoding="utf-8"))
        return [Alert(**one) for one in document["alerts"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError):
        return None


def save(path: Path, alerts: Sequence[Alert]) -> None:
    """Written whole or not at all."""
    text = json.dumps({"alerts": [asdict(alert) for alert in alerts]}, default=str) + "\n"
    temporary = path / f".{FILE_NAME}.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path / FILE_NAME)
