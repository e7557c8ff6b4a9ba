"""What a critical path is made of, and the words for it."""

from dataclasses import dataclass

KINDS = ("work", "send", "txn_wait", "wait", "local_wait", "backoff", "gap")
"""work: a span's own time; send: start of sending to acknowledgement; txn_wait: for the end of the transaction;
wait: in the topic; local_wait: fetched but not begun; backoff: planned delay between attempts; gap: nothing known
was running."""


@dataclass(frozen=True)
class Step:
    """What segments of many flows have in common: what was done or waited for, and by whom."""

    kind: str
    """One of KINDS."""
    service: str | None = None
    """Of work and send; None for what no service does."""
    operation: str | None = None
    """Name of the span of work and send; of a gap, the spans before and after it."""
    topic: str | None = None
    """Of send and of every kind of waiting; None where it is not known."""
    consumer_group: str | None = None
    """That waited; None where it is not known."""

    def __str__(self) -> str:
        """In words: ``checkout: POST /orders``, ``wait in orders for payments``."""
        if self.kind == "work":
            return f"{self.service}: {self.operation}"
        if self.kind == "send":
            return (
                f"{self.service}: send to {self.topic}" if self.topic else f"{self.service}: {self.operation}"
            )
        if self.kind == "gap":
            return f"gap {self.operation}"
        return f"{_WORDS[self.kind]} in {self.topic or 'an unknown topic'} for {self.consumer_group or 'a consumer'}"


_WORDS = {"wait": "wait", "local_wait": "local wait", "txn_wait": "transaction wait", "backoff": "back-off"}


@dataclass(frozen=True)
class Segment:
    """A stretch of the critical path. Segments follow each other without gap or overlap."""

    kind: str
    from_ns: int
    to_ns: int
    duration_ms: float
    share: float | None
    """Of the run's total; None where that is 0."""
    step: Step
    trace_id: str
    span_id: str
    """The span whose time this is, or, of waiting and of a gap, the one that began at its end."""
    partition: int | None
    message_offset: int | None
    attempt: int | None
    """Of the delivery that was waited for; None for work, send and gap."""
    skewed: bool
    """The effect starts before its cause by the clocks: of length 0, so that the sum stays exact."""


@dataclass(frozen=True)
class Slack:
    """What is not on the path: how much later it could have come without the run taking longer."""

    step: Step
    spans: int
    """Spans of this step that are not on the path."""
    duration_ms: float
    """The longest of them; of waiting, the longest wait."""
    slack_ms: float
    """The smallest of theirs."""


@dataclass(frozen=True)
class Run:
    """One run from its first start to its last end. A flow has one, and one more for each replay in it."""

    kind: str
    """run or replay."""
    trace_id: str
    span_id: str
    """The span with which the run begins."""
    started_ns: int
    ended_ns: int
    total_ms: float
    segments: tuple[Segment, ...]
    """In order of time; they partition started_ns to ended_ns exactly."""
    off_path: tuple[Slack, ...]
    """By slack, the smallest first."""
