"""Rules about spans: do they come at all, are they kept, and do they say what questions need?"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from headwater_analysis import format as fmt

from . import instrumentations as known
from .facts import Facts, SpanFacts
from .finding import HINT, INSTALL, PROBLEM, TROUBLE, USE, Finding, many, names, server, share_of

BRIEF_SPANS = 20
"""From how many handler spans on it is no chance that all are brief."""
BRIEF_SHARE = 0.95
NAMELESS = "unknown_service"
"""What SDKs, and the collector, call a service without a name; SDKs add a colon and the program."""


def no_spans(facts: Facts) -> Iterator[Finding]:
    """Nothing has ever come: there is nothing to examine."""
    if not facts.spans_ever:
        yield Finding(
            "no_spans",
            PROBLEM,
            "collector",
            "no span has arrived yet",
            "The store holds no span; services must be told where to send them.",
            0,
            None,
            (
                "export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318",
                "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
                *known.install(),
            ),
            USE,
        )


def not_kept(facts: Facts) -> Iterator[Finding]:
    """The collector could not store what it was sent, or refused it."""
    doors = facts.ingest
    if doors is None:
        return
    if doors.quarantined:
        reasons = doors.quarantine_reasons if isinstance(doors.quarantine_reasons, dict) else {}
        why = names([f"{number:,} × {reason}" for reason, number in sorted(reasons.items())])
        yield Finding(
            "not_kept",
            PROBLEM,
            "collector",
            "could not store what it was sent",
            f"{many(doors.quarantined, 'span or request')} since its start are no valid OTLP"
            f"{f': {why}' if why else ''}.".replace("span or requests", "spans or requests"),
            doors.quarantined,
            None,
            ("headwater ingest   # names the reasons",),
            USE,
        )
    if doors.refused_requests:
        yield Finding(
            "refused",
            HINT,
            "collector",
            "refused requests at its doors",
            f"{doors.refused_requests:,} of {many(doors.received_requests, 'request')} since its start were refused: "
            "a wrong token, too large, or no OTLP; the sender's log has the answer.",
            doors.refused_requests,
            None,
            ("export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",),
            USE,
        )


def unknown_service(facts: Facts) -> Iterator[Finding]:
    """Spans of a service without a name."""
    for service in facts.services:
        if service.service.partition(":")[0] == NAMELESS:
            yield Finding(
                "unknown_service",
                PROBLEM,
                service.service,
                "has no service.name",
                f"{many(service.spans, 'span')} came without one: services without a name cannot be told apart.",
                service.spans,
                service.trace_id,
                ("export OTEL_SERVICE_NAME=checkout",),
                USE,
            )


def no_instance(facts: Facts) -> Iterator[Finding]:
    """Metrics come, of services whose instances cannot be told apart."""
    if facts.ingest is None or not facts.ingest.metrics_not_kept:
        return
    found = [one for one in facts.services if one.without_instance]
    if found:
        spans = sum(one.without_instance or 0 for one in found)
        yield Finding(
            "no_instance",
            HINT,
            names([one.service for one in found]),
            "no service.instance.id where metrics are counted",
            f"{many(spans, 'span')} of {many(len(found), 'service')} come without it, and metrics do arrive: counters "
            "of two instances would be taken for one.",
            spans,
            found[0].trace_id,
            ("export OTEL_RESOURCE_ATTRIBUTES=service.instance.id=$HOSTNAME",),
            USE,
        )


@dataclass(frozen=True)
class _Lack:
    """An attribute that spans must have."""

    field: str
    attribute: str
    severity: str
    without_it: str


_LACKS = (
    _Lack("without_topic", "messaging.destination.name", PROBLEM, "they belong to no topic"),
    _Lack("without_partition", "messaging.destination.partition.id", PROBLEM, "their messages are not known"),
    _Lack("without_offset", "messaging.kafka.offset", PROBLEM, "sending and handling cannot be joined"),
    _Lack("without_group", "messaging.consumer.group.name", HINT, "they belong to no group's lag"),
    _Lack(
        "without_cluster", "messaging.kafka.cluster.id", HINT, "topics of one name in two clusters are mixed"
    ),
)


def missing_attributes(facts: Facts) -> Iterator[Finding]:
    """Spans without what questions need: one finding an attribute, service and role."""
    by_role: dict[tuple[str, str | None, str | None], list[SpanFacts]] = defaultdict(list)
    for one in facts.spans:
        by_role[one.service, one.scope, one.role].append(one)
    # Where no cluster is watched, that is the finding, and watching it fills the cluster in.
    for lack in _LACKS if facts.clusters else _LACKS[:-1]:
        for (service, scope, role), rows in by_role.items():
            number = sum(getattr(row, lack.field) for row in rows)
            whole = sum(row.placed_spans if lack.severity == PROBLEM else row.spans for row in rows)
            if share_of(number, whole):
                yield Finding(
                    "missing_attribute",
                    lack.severity,
                    service,
                    f"{role} spans have no {lack.attribute}",
                    f"{number:,} of {many(whole, f'{role} span')} of {scope or 'no scope'} lack it: {lack.without_it}.",
                    number,
                    _example(rows, lack),
                    _mend(lack, scope, rows),
                    INSTALL,
                )


def _example(rows: Iterable[SpanFacts], lack: _Lack) -> str | None:
    """A trace that shows it; of group and cluster that of any such row."""
    for row in rows:
        if getattr(row, lack.field):
            return row.misplaced_trace_id if lack.severity == PROBLEM else row.trace_id
    return None


def _mend(lack: _Lack, scope: str | None, rows: list[SpanFacts]) -> tuple[str, ...]:
    if lack.field == "without_cluster":
        said = (server(row.server_address, row.server_port) for row in rows)
        return (f"headwater up --kafka {next(filter(None, said), 'HOST:PORT')}",)
    client = known.contrib(scope)
    if client is not None:
        return known.install(client)
    if known.ours(scope) and lack.field == "without_offset":
        return ('Producer({**config, "delivery.report.only.error": False})',)
    example = {"without_partition": '"0"', "without_offset": "record.offset", "without_group": '"payments"'}
    return (f'span.set_attribute("{lack.attribute}", {example.get(lack.field, "record.topic")})',)


def handler_not_covered(facts: Facts) -> Iterator[Finding]:
    """What the handler does is in no span: only the fetching is recorded, or a process span ends before the work."""
    process: dict[str, set[str | None]] = defaultdict(set)
    for one in facts.spans:
        if one.role == "process":
            process[one.service].add(one.consumer_group)
    fetched: dict[tuple[str, str | None], list[SpanFacts]] = defaultdict(list)
    for one in facts.spans:
        groups = process.get(one.service, set())
        # A process span that names no group may be of any.
        if one.role == "receive" and one.topic and not groups & {one.consumer_group, None}:
            fetched[one.service, one.consumer_group].append(one)
    for (_, group), rows in fetched.items():
        spans = sum(row.spans for row in rows)
        yield _uncovered(
            rows[0],
            group,
            spans,
            f"{many(spans, 'receive span')} and no process span: work and errors are not seen.",
        )
    for one in facts.spans:
        if one.brief_spans >= BRIEF_SPANS and one.brief_spans >= BRIEF_SHARE * one.spans:
            evidence = (
                f"{one.brief_spans:,} of {many(one.spans, 'process span')} on {one.topic} last less than 0.1 ms "
                f"(95 % within {fmt.duration_ms(one.p95_ms)}) and have no child: the work is done after them."
            )
            yield _uncovered(one, one.consumer_group, one.brief_spans, evidence, HINT)


def _uncovered(
    row: SpanFacts, group: str | None, spans: int, evidence: str, severity: str = PROBLEM
) -> Finding:
    if known.ours(row.scope) and row.role == "process":
        mend: tuple[str, ...] = ("async with process(record):   # around the work, where it is done",)
    elif known.ours(row.scope):
        mend = ("export HEADWATER_KAFKA_PROCESS_SPAN=auto",)
    elif known.contrib(row.scope):
        mend = known.install(known.contrib(row.scope))
    else:
        mend = ('with tracer.start_as_current_span("process orders", context):',)
    who = row.service if group in (None, row.service) else f"{row.service} (group {group})"
    what = "handlers are not covered by spans"
    return Finding("handler_not_covered", severity, who, what, evidence, spans, row.trace_id, mend, TROUBLE)


def dropped(facts: Facts) -> Iterator[Finding]:
    """The SDK left parts of spans out, since it keeps so many only."""
    found: dict[str, list[SpanFacts]] = defaultdict(list)
    for one in facts.spans:
        if one.dropped_links or one.dropped_attributes:
            found[one.service].append(one)
    for service, rows in found.items():
        links, values = (sum(row.dropped_links for row in rows), sum(row.dropped_attributes for row in rows))
        parts = [many(number, word) for number, word in ((links, "link"), (values, "attribute")) if number]
        yield Finding(
            "dropped",
            HINT,
            service,
            "drops parts of its spans",
            f"{' and '.join(parts)} of its Kafka spans were left out by its SDK: messages of large batches have no "
            "link to their sender.",
            links + values,
            rows[0].dropped_trace_id,
            tuple(
                f"export OTEL_SPAN_{word}_COUNT_LIMIT=1000"
                for number, word in ((links, "LINK"), (values, "ATTRIBUTE"))
                if number
            ),
            TROUBLE,
        )


def far_future(facts: Facts) -> Iterator[Finding]:
    """Spans from the future: the clock of their host is wrong."""
    for one in facts.services:
        if one.far_future:
            yield Finding(
                "far_future",
                PROBLEM,
                one.service,
                "its clock is ahead",
                f"{one.far_future:,} of {many(one.spans, 'span')} lie far after the time at which they were received.",
                one.far_future,
                one.far_future_trace_id,
                ("sudo timedatectl set-ntp true   # on its host",),
                TROUBLE,
            )
