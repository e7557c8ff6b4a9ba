"""For how long topics keep messages, by their configuration: asked when a topic is met, and again now and then."""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]

ASKED_EVERY_SECONDS = 3600.0
REFUSED_FOR_SECONDS = 60.0
MOST_AT_ONCE = 1000  # topics of one poll; the others at the next
UNLIMITED = -1


class RetentionTimes:
    """When which topic was asked last. A topic that may not be asked stays without an answer, which is no failure."""

    def __init__(self) -> None:
        self._asked: dict[str, float] = {}

    def read(
        self,
        admin: AdminClient,
        topics: Iterable[str],
        ask: Callable[[Callable[[], Any], list[Any]], Mapping[Any, "Future[Any] | str"]],
        wait: Callable[["Future[Any] | str"], Any],
        timeout: float,
    ) -> dict[str, float]:
        """Seconds by topic, of those that were due; none of a topic that deletes nothing by age."""
        now = time.monotonic()
        self._asked = {topic: self._asked[topic] for topic in topics if topic in self._asked}
        due = [
            topic
            for topic in topics
            if now - self._asked.get(topic, -ASKED_EVERY_SECONDS) >= ASKED_EVERY_SECONDS
        ]
        resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in due[:MOST_AT_ONCE]]
        if not resources:
            return {}
        self._asked |= dict.fromkeys(due[:MOST_AT_ONCE], now)
        futures = ask(lambda: admin.describe_configs(resources, request_timeout=timeout), resources)
        found: dict[str, float] = {}
        for resource, future in futures.items():
            config = wait(future)
            if isinstance(config, str):
                self._asked[resource.name] = now - ASKED_EVERY_SECONDS + REFUSED_FOR_SECONDS
            elif (seconds := _seconds(config)) is not None:
                found[resource.name] = seconds
        return found


def _seconds(config: Mapping[str, Any]) -> float | None:
    policy, kept = config.get("cleanup.policy"), config.get("retention.ms")
    if policy is None or kept is None or "delete" not in str(policy.value):
        return None
    milliseconds = int(kept.value)
    return None if milliseconds == UNLIMITED else milliseconds / 1000
