"""Telling a webhook: what is sent in which form, and what an answer means."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .settings import Webhook
from .states import Alert

TIMEOUT_SECONDS = 10.0
MOST_AT_ONCE = 100
"""Alerts in one message; the next message has the next."""
MOST_IN_SLACK = 20
"""Attachments that Slack shows; the rest is a number."""
_WORTH_ANOTHER_TRY = (408, 425, 429)

_COLOURS = {"firing": "danger", "resolved": "good"}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """What is secret in headers and body goes to nobody else."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


@dataclass(frozen=True)
class Outcome:
    """What became of a message."""

    reason: str | None
    """None: it was taken."""
    final: bool = False
    """The same message would be refused again."""
    wait_seconds: float | None = None
    """When to come again, where the answer says so."""


def send(webhook: Webhook, alerts: Sequence[tuple[Alert, str]]) -> Outcome:
    """Post alerts with their severities; blocks, at most for the time-out."""
    body = json.dumps((_slack if webhook.format == "slack" else _plain)(alerts), default=str).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "headwater", **dict(webhook.headers)}
    request = urllib.request.Request(webhook.url, body, headers, method="POST")
    try:
        with _OPENER.open(request, timeout=TIMEOUT_SECONDS):
            return Outcome(None)
    except urllib.error.HTTPError as error:
        error.close()
        final = error.code < 500 and error.code not in _WORTH_ANOTHER_TRY
        after = error.headers.get("Retry-After", "") if error.headers else ""
        return Outcome(
            f"{webhook.shown} answered {error.code}", final, float(after) if after.isdigit() else None
        )
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        return Outcome(f"{webhook.shown} cannot be reached: {reason}")


def _plain(alerts: Sequence[tuple[Alert, str]]) -> dict[str, Any]:
    return {
        "version": 1,
        "source": "headwater",
        "alerts": [
            {
                "rule": alert.rule,
                "state": alert.state,
                "severity": severity,
                "labels": alert.labels,
                "summary": alert.summary,
                "values": alert.values,
                "since": _iso(alert.since),
                "changed": _iso(alert.changed),
            }
            for alert, severity in alerts
        ],
    }


def _slack(alerts: Sequence[tuple[Alert, str]]) -> dict[str, Any]:
    firing = sum(alert.state == "firing" for alert, _ in alerts)
    counts = [
        f"{number} {word}"
        for number, word in ((firing, "firing"), (len(alerts) - firing, "resolved"))
        if number
    ]
    attachments = [
        {
            "color": _COLOURS[alert.state],
            "title": f"{_escaped(alert.rule)} ({_escaped(severity)}, {alert.state})",
            "text": _escaped(alert.summary),
            "fallback": f"{alert.state}: {_escaped(alert.summary)}",
            "ts": int(alert.changed),
        }
        for alert, severity in alerts[:MOST_IN_SLACK]
    ]
    more = len(alerts) - len(attachments)
    text = f"headwater: {', '.join(counts)}" + (f"; {more} of them not shown here" if more else "")
    return {"text": text, "attachments": attachments}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
