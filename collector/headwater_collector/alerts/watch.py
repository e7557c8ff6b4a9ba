"""Asks the rules every few seconds, remembers in the data directory what holds, and tells webhooks what changed.

What a webhook was told is remembered with each alert, and nothing else waits: so the queue is bounded by the alerts
themselves, a restart repeats nothing, and what fired and was over before anybody could be told is not told.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from headwater_analysis.errors import HeadwaterError, UsageError
from headwater_collector.api.sql import SqlLimits, SqlRunner, Table, json_rows
from headwater_collector.kafka.daemon_thread import in_daemon_thread
from headwater_collector.store import Store
from headwater_collector.store.cursor import DatabaseError

from .settings import AlertSettings, Rule, Webhook, placeholders
from .states import MOST_ALERTS, Alert, load, save, step, untold
from .webhooks import MOST_AT_ONCE, Outcome, send

SETTLING_SECONDS = 60.0
"""After a start, until polls and spans have come in again, a missing row does not mean that something is over."""
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 300.0
LAST_WAIT_SECONDS = 2.0
SECONDS_A_RULE = 10.0

_log = logging.getLogger(__name__)


class AlertWatch:
    """Construct without I/O, `start` once, `stop` once."""

    def __init__(
        self,
        store: Store,
        data: Path,
        settings: AlertSettings,
        *,
        settling_seconds: float = SETTLING_SECONDS,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
    ) -> None:
        self._settings = settings
        self._data = data
        self._runner = SqlRunner(store, SqlLimits(rows=MOST_ALERTS, seconds=SECONDS_A_RULE, at_once=1))
        self._settling_seconds = settling_seconds
        self._first_wait = first_wait_seconds
        self._settled_at = 0.0
        self._alerts: dict[str, list[Alert]] = {rule.name: [] for rule in settings.rules}
        self._errors: dict[str, str] = {}
        self._changed = {hook.name: asyncio.Event() for hook in settings.webhooks}
        self._sent = {hook.name: {"sent": 0, "failed": 0} for hook in settings.webhooks}
        self._problems: dict[str, str] = {}
        self._saving = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Read what an earlier run knew, try each question, begin. Raises UsageError for a rule that cannot be."""
        if not self._settings.rules:
            return
        for rule in self._settings.rules:
            await asyncio.to_thread(self._check, rule)
        remembered = await asyncio.to_thread(load, self._data)
        if remembered is None:
            _log.warning("what was known of alerts could not be read; they begin anew")
        for alert in remembered or ():
            if alert.rule in self._alerts:
                self._alerts[alert.rule].append(alert)
        self._settled_at = time.time() + self._settling_seconds
        self._tasks = [asyncio.create_task(self._look_again_and_again(), name="alerts")]
        self._tasks += [
            asyncio.create_task(self._tell(hook), name=f"alerts to {hook.name}")
            for hook in self._settings.webhooks
        ]

    async def stop(self) -> None:
        """Returns when nothing is asked, nobody told any more, and all of it written down."""
        await asyncio.to_thread(self._runner.stop)
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._tasks:
            await self._save()  # what was told last may not be written down yet

    def status(self) -> dict[str, Any]:
        """Rules with their alerts, and webhooks with what they took; nothing secret."""
        return {
            "every_seconds": self._settings.every_seconds,
            "rules": [
                {
                    "name": rule.name,
                    "severity": rule.severity,
                    "hold_seconds": rule.hold_seconds,
                    "error": self._errors.get(rule.name),
                    "alerts": [_shown(alert) for alert in self._alerts[rule.name]],
                }
                for rule in self._settings.rules
            ],
            "webhooks": [
                {
                    "name": hook.name,
                    "url": hook.shown,
                    "format": hook.format,
                    **self._sent[hook.name],
                    "waiting": sum(len(each) for _, each in self._untold(hook)),
                    "problem": self._problems.get(hook.name),
                }
                for hook in self._settings.webhooks
            ],
        }

    def _check(self, rule: Rule) -> None:
        place = f'Alert rule "{rule.name}"'
        try:
            columns = self._runner.run(f"select * from ({rule.sql}\n) limit 0").data.column_names
        except HeadwaterError as error:
            raise UsageError(f"{place} cannot be asked: {error}") from None
        for name in (*rule.labels, *sorted(placeholders(rule.summary, place))):
            if name not in columns:
                raise UsageError(f"{place} names the column {name}, but its answer has {', '.join(columns)}.")

    async def _look_again_and_again(self) -> None:
        while True:
            began = time.monotonic()
            try:
                for rule in self._settings.rules:
                    self._take(rule, await asyncio.to_thread(self._ask, rule))
                await self._save()
            except Exception:  # whatever it is, the next look may do better
                _log.exception("alert rules could not be asked")
            for changed in self._changed.values():
                changed.set()
            await asyncio.sleep(max(0.0, self._settings.every_seconds - (time.monotonic() - began)))

    def _ask(self, rule: Rule) -> Table | str:
        """The answer, or why there is none."""
        try:
            return self._runner.run(rule.sql)
        except (HeadwaterError, DatabaseError) as error:
            return str(error)

    def _take(self, rule: Rule, answer: Table | str) -> None:
        if isinstance(answer, str):  # what was known stands until the rule can be asked again
            self._errors[rule.name] = answer
            return
        rows = [dict(zip(answer.data.column_names, row, strict=True)) for row in json_rows(answer)]
        self._errors.pop(rule.name, None)
        if answer.cut is not None:  # what is missing may still be there: nothing is over
            self._errors[rule.name] = f"the answer was cut after {len(rows)} rows; ask for fewer"
        now = time.time()
        settling = now < self._settled_at or answer.cut is not None
        self._alerts[rule.name] = step(rule, self._alerts[rule.name], rows, now, settling)[: 2 * MOST_ALERTS]

    async def _save(self) -> None:
        known = [alert for alerts in self._alerts.values() for alert in alerts]
        async with self._saving:
            try:
                await asyncio.to_thread(save, self._data, known)
            except OSError as error:
                _log.warning("what is known of alerts could not be written: %s", error.strerror)

    def _untold(self, hook: Webhook) -> list[tuple[Rule, list[Alert]]]:
        return [(rule, untold(self._alerts[rule.name], rule, hook.name)) for rule in self._settings.rules]

    async def _tell(self, hook: Webhook) -> None:
        """Tells one webhook, later and later while it does not listen."""
        changed, failures = self._changed[hook.name], 0
        while True:
            await changed.wait()
            changed.clear()
            while waiting := [(one, rule.severity) for rule, each in self._untold(hook) for one in each]:
                message = waiting[:MOST_AT_ONCE]
                outcome = await self._send(hook, message)
                if outcome.reason is None or outcome.final:
                    self._note(hook, message, outcome)
                    await self._save()
                    failures = 0
                    continue
                self._sent[hook.name]["failed"] += 1
                self._problems[hook.name] = outcome.reason
                failures += 1
                await asyncio.sleep(self._wait(failures, outcome.wait_seconds))

    async def _send(self, hook: Webhook, message: list[tuple[Alert, str]]) -> Outcome:
        """A message under way when all ends is waited for a little, so that the next run need not repeat it."""
        sending = asyncio.ensure_future(in_daemon_thread("alerts", partial(send, hook, message)))
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            await asyncio.wait([sending], timeout=LAST_WAIT_SECONDS)
            if sending.done() and sending.result().reason is None:
                self._note(hook, message, sending.result())
            raise

    def _wait(self, failures: int, asked: float | None) -> float:
        grown: float = self._first_wait * 2 ** min(failures - 1, 20) * random.uniform(0.8, 1.2)
        return min(LONGEST_WAIT_SECONDS, max(asked or 0.0, grown))

    def _note(self, hook: Webhook, sent: list[tuple[Alert, str]], outcome: Outcome) -> None:
        """What was told stays told; a message that is refused for good is not sent for ever."""
        self._sent[hook.name]["sent" if outcome.reason is None else "failed"] += 1
        if outcome.reason is None:
            self._problems.pop(hook.name, None)
        else:
            self._problems[hook.name] = f"{outcome.reason}: {len(sent)} alerts were not told"
        states = {(alert.rule, alert.key): alert.state for alert, _ in sent}
        self._alerts = {
            rule: [
                replace(alert, told={**alert.told, hook.name: states[rule, alert.key]})
                if (rule, alert.key) in states
                else alert
                for alert in alerts
            ]
            for rule, alerts in self._alerts.items()
        }


def _shown(alert: Alert) -> Mapping[str, Any]:
    fields = ("labels", "state", "since", "changed", "summary", "values", "told")
    return {name: getattr(alert, name) for name in fields}
