"""What do the alert rules say now, and was everybody told?"""

from dataclasses import dataclass
from typing import Any

from .source import Source


@dataclass(frozen=True)
class Alert:
    """One row of a rule's answer."""

    labels: dict[str, Any]
    state: str
    """pending, firing or resolved"""
    since: float
    """Seconds since the epoch, when the row was first there."""
    changed: float
    """When it got its state."""
    summary: str
    values: dict[str, Any]
    """The row's other columns."""
    told: dict[str, str]
    """Webhook -> the state that it was told last."""


@dataclass(frozen=True)
class RuleState:
    """A rule and its alerts."""

    name: str
    severity: str
    hold_seconds: float
    """For which an alert is pending before it fires."""
    error: str | None
    """Why it cannot be asked at present."""
    alerts: tuple[Alert, ...]

    @property
    def state(self) -> str:
        """The worst of its alerts."""
        states = {alert.state for alert in self.alerts}
        return next((one for one in ("firing", "pending", "resolved") if one in states), "quiet")


@dataclass(frozen=True)
class WebhookState:
    """Somebody who is told."""

    name: str
    url: str
    """Without path and query, which may be secret."""
    format: str
    sent: int
    """Messages taken since the collector started."""
    failed: int
    waiting: int
    """Alerts that it has not been told yet."""
    problem: str | None


@dataclass(frozen=True)
class Alerts:
    """All of it."""

    every_seconds: float
    rules: tuple[RuleState, ...]
    webhooks: tuple[WebhookState, ...]


def alerts(source: Source) -> Alerts | None:
    """The rules' states; None for a store that no collector holds. Raises Unavailable."""
    found = source.health().get("alerts")
    if found is None:
        return None
    rules = (
        RuleState(**{**rule, "alerts": tuple(Alert(**alert) for alert in rule["alerts"])})
        for rule in found["rules"]
    )
    return Alerts(
        found["every_seconds"], tuple(rules), tuple(WebhookState(**hook) for hook in found["webhooks"])
    )
