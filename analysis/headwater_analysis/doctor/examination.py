"""One examination: the facts of a window, judged by every rule in a stated order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from headwater_analysis.source import Source
from headwater_analysis.window import Window

from . import client_rules, context_rules, span_rules
from .facts import Facts, gather
from .finding import HINT, PROBLEM, Finding

Rule = Callable[[Facts], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    # Nothing comes, or nothing is kept: no other answer can be trusted.
    span_rules.no_spans,
    span_rules.not_kept,
    client_rules.cluster_away,
    # Messages that cannot be followed.
    client_rules.groups_without_spans,
    client_rules.topics_without_sends,
    context_rules.lost_between,
    context_rules.without_context,
    context_rules.sender_not_stored,
    span_rules.handler_not_covered,
    # Answers that are wrong.
    span_rules.unknown_service,
    client_rules.two_instrumentations,
    context_rules.clock_skew,
    span_rules.far_future,
    span_rules.missing_attributes,
    # What could be better.
    client_rules.other_instrumentation,
    client_rules.old_names,
    context_rules.event_id_repeated,
    span_rules.dropped,
    span_rules.no_instance,
    client_rules.cluster_not_watched,
)
"""What mends the most comes first; problems are shown before hints, each in this order."""


@dataclass(frozen=True)
class Examination:
    """What was found, and in how much."""

    findings: tuple[Finding, ...]
    facts: Facts

    @property
    def problems(self) -> int:
        """How many of the findings are problems."""
        return sum(one.severity == PROBLEM for one in self.findings)

    @property
    def hints(self) -> int:
        """How many are hints."""
        return sum(one.severity == HINT for one in self.findings)


def judge(facts: Facts) -> tuple[Finding, ...]:
    """What the rules find in some facts: problems, then hints."""
    found = [finding for rule in RULES for finding in rule(facts)]
    return tuple(sorted(found, key=lambda one: one.severity != PROBLEM))


def examine(source: Source, window: Window) -> Examination:
    """Gathers the facts of a window and judges them."""
    facts = gather(source, window)
    return Examination(judge(facts), facts)
