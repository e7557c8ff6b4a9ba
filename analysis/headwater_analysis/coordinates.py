"""Where a message lies: ``[cluster/]topic@partition:offset``, as people, URLs and attributes write it."""

import re
from dataclasses import dataclass

from . import format as fmt
from .errors import UsageError

# Kafka's topic names hold letters, digits, dot, underscore and hyphen, so no separator below is part of one.
_TOPIC = r"(?P<topic>[A-Za-z0-9._-]{1,249})"
_FORMS = (
    re.compile(rf"^(?:(?P<cluster>[^/@\s]+)/)?{_TOPIC}@(?P<partition>\d{{1,9}}):(?P<offset>\d{{1,18}})$"),
    re.compile(rf"^(?:(?P<cluster>[^/@\s]+)/)?{_TOPIC}/(?P<partition>\d{{1,9}})/(?P<offset>\d{{1,18}})$"),
    re.compile(rf"^{_TOPIC}:(?P<partition>\d{{1,9}}):(?P<offset>\d{{1,18}})$"),
)


@dataclass(frozen=True)
class Coordinates:
    """One message's place; the cluster id is None where the writer left it out."""

    topic: str
    partition: int
    offset: int
    cluster: str | None = None

    def __str__(self) -> str:
        place = fmt.place(self.topic, self.partition, self.offset)
        return f"{self.cluster}/{place}" if self.cluster else place


def parse(text: str) -> Coordinates:
    """The coordinates in ``topic@p:o``, ``topic/p/o`` or ``topic:p:o``; raises UsageError otherwise."""
    for form in _FORMS:
        found = form.match(text.strip())
        if found:
            parts = found.groupdict()
            return Coordinates(
                parts["topic"], int(parts["partition"]), int(parts["offset"]), parts.get("cluster")
            )
    raise UsageError(f"{text!r} names no message; write it as topic@partition:offset, such as orders@3:1042.")
