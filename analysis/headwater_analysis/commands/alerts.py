"""`headwater alerts`: what the alert rules say now, and who was told."""

import time

from rich.text import Text

from headwater_analysis import alerts as question
from headwater_analysis import format as fmt
from headwater_analysis.errors import Unavailable
from headwater_analysis.settings import COLLECTOR, JSON, STORE, TOKEN, Command, read

from .printing import TONES, count_of, empty, opened, print_json, print_table

ALERTS = Command(
    "alerts",
    "Shows the alert rules of the collector's configuration ([[alerts.rules]]: each a question whose rows are its "
    "alerts), which are pending, firing or resolved, and what the webhooks were told.",
    ("headwater alerts", "headwater alerts --json"),
    options=(COLLECTOR, TOKEN, STORE, JSON),
)
_TONES = {"firing": "bad", "pending": "warn", "resolved": "good", "quiet": "quiet", "failing": "bad"}


def run(argv: list[str]) -> int:
    """The command; gives its exit code."""
    settings = read(ALERTS, argv)
    with opened(settings) as source:
        found = question.alerts(source)
    if found is None:
        raise Unavailable("Alert rules are asked by a running collector; name one with --collector URL.")
    if settings.json:
        print_json(found)
        return 0
    if not found.rules:
        empty(
            "The collector has no alert rules; write [[alerts.rules]] into its configuration (--config FILE)."
        )
        return 0
    rows: list[tuple[str | Text, ...]] = []
    for rule in found.rules:
        if rule.error is not None:
            rows.append((rule.name, _state("failing"), fmt.UNKNOWN, rule.error))
        elif not rule.alerts:
            rows.append((rule.name, _state("quiet"), fmt.UNKNOWN, ""))
        rows += [(rule.name, _state(one.state), _ago(one.changed), one.summary) for one in rule.alerts]
    print_table(("rule", "state", "for", "summary"), rows)
    if found.webhooks:
        print_table(("webhook", "at", "taken", "waiting", "problem"), map(_webhook, found.webhooks))
    return 0


def _webhook(hook: question.WebhookState) -> tuple[str, ...]:
    taken, waiting = count_of(hook.sent, "message"), count_of(hook.waiting, "alert")
    return (hook.name, hook.url, taken, waiting, hook.problem or "")


def _state(word: str) -> Text:
    return Text(word, style=TONES[_TONES[word]])


def _ago(at: float) -> str:
    return fmt.duration_ms(max(0.0, time.time() - at) * 1000)
