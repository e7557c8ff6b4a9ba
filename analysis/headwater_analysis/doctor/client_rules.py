"""Rules about clients: does every one that Kafka knows of leave spans, and whose are they?"""

from collections import defaultdict
from collections.abc import Iterator

from . import instrumentations as known
from .facts import Facts, SpanFacts
from .finding import HINT, INSTALL, PROBLEM, SWITCHES, USE, Finding, many, names, server, share_of

CONSUMING = ("process", "receive")
SENDING = ("send", "create")
FEW = 1_000
"""Fewer messages than these may all be left out by a sampler that keeps one in a hundred; more hardly can."""
INTERNAL = "_"
"""How the names of topics that belong to Kafka's own tools begin: __consumer_offsets, _schemas."""


def groups_without_spans(facts: Facts) -> Iterator[Finding]:
    """Groups whose commits advance, and no span of theirs is stored."""
    seen = {one.consumer_group for one in facts.spans if one.consumer_group}
    nameless = {one.topic for one in facts.spans if one.role in CONSUMING and one.consumer_group is None}
    found = defaultdict(list)
    for one in facts.activity:
        # A single step of the commits can be a person who resets them.
        if (
            one.consumer_group
            and one.consumer_group not in seen
            and one.polls > 1
            and one.topic not in nameless
        ):
            found[one.consumer_group].append(one)
    for group, rows in sorted(found.items()):
        moved = sum(row.moved for row in rows)
        clients = tuple(sorted({client for row in rows for client in row.clients or ()}))
        hosts = sorted({host.removeprefix("/") for row in rows for host in row.hosts or ()})
        library = known.library_of(clients)
        members = f" Its members are {names(clients)} at {names(hosts)}" if clients else ""
        used = f", which is {library}" if library else ""
        yield Finding(
            "group_without_spans",
            PROBLEM,
            f"group {group}",
            "consumes without leaving a span",
            f"Its commits advanced by {many(moved, 'offset')} of {names(sorted(row.topic for row in rows))}, and "
            f"no span of it came in that time{_sampled(moved)}.{members}{used}{'.' if members else ''}",
            moved,
            None,
            known.install_for(library),
            INSTALL,
        )


def topics_without_sends(facts: Facts) -> Iterator[Finding]:
    """Topics that grow, and no span of their sending is stored."""
    seen = {one.topic for one in facts.spans if one.role in SENDING}
    away = {one.topic for one in facts.contexts if one.sender_not_stored}
    for one in facts.activity:
        if one.consumer_group or one.topic.startswith(INTERNAL) or one.topic in seen | away or None in seen:
            continue
        readers = sorted({pair.consumer_service for pair in facts.contexts if pair.topic == one.topic})
        yield Finding(
            "topic_without_sends",
            PROBLEM,
            one.topic,
            "is written to without leaving a span",
            f"It grew by {many(one.moved, 'offset')}, and no send to it came in that time{_sampled(one.moved)}"
            + (f"; {names(readers)} read it, from where the flows now begin." if readers else "."),
            one.moved,
            None,
            known.install_for(None),
            INSTALL,
        )


def _sampled(moved: int) -> str:
    return " (unless a sampler left all of them out)" if moved < FEW else ""


def two_instrumentations(facts: Facts) -> Iterator[Finding]:
    """One client is recorded twice."""
    by_place: dict[tuple[str, str | None, str | None], list[SpanFacts]] = defaultdict(list)
    for one in facts.spans:
        if known.ours(one.scope) or known.contrib(one.scope):
            role = "in" if one.role in CONSUMING else one.role
            by_place[one.service, role, one.topic].append(one)
    told = set()
    for (service, _, _), rows in by_place.items():
        for other in rows:
            client = known.contrib(other.scope)
            if client is None or not any(known.ours(row.scope) for row in rows) or (service, client) in told:
                continue
            told.add((service, client))
            yield Finding(
                "two_instrumentations",
                PROBLEM,
                service,
                f"records {client.distribution} twice",
                f"{many(other.spans, 'span')} of {other.scope} stand beside those of headwater-instrumentation: "
                "counts and waits are doubled.",
                other.spans,
                other.trace_id,
                (
                    f"export OTEL_PYTHON_DISABLED_INSTRUMENTATIONS={client.disabled_as}",
                    "unset HEADWATER_KAFKA_TAKE_OVER",
                ),
                SWITCHES,
            )


def other_instrumentation(facts: Facts) -> Iterator[Finding]:
    """A Python client is recorded by OpenTelemetry's own instrumentation, which says less."""
    found: dict[tuple[str, known.Client], list[SpanFacts]] = defaultdict(list)
    own = {one.service for one in facts.spans if known.ours(one.scope)}
    for one in facts.spans:
        client = known.contrib(one.scope)
        if client is not None and one.service not in own:
            found[one.service, client].append(one)
    for (service, client), rows in found.items():
        spans = sum(row.spans for row in rows)
        sends = [row for row in rows if row.role == "send"]
        lacking = sum(row.without_offset for row in sends)
        said = [f"{many(spans, 'span')} are of {rows[0].scope}"]
        if lacking:
            said.append(f"{lacking:,} of {many(sum(row.spans for row in sends), 'send')} say no offset")
        if any(row.role == "receive" for row in rows) and not any(row.role == "process" for row in rows):
            said.append("none covers a handler")
        if old := sorted({name for row in rows for name in row.old_names}):
            said.append(f"old names are used: {names(old)}")
        yield Finding(
            "other_instrumentation",
            HINT,
            service,
            f"uses OpenTelemetry's own instrumentation of {client.distribution}",
            "; ".join(said) + ".",
            spans,
            rows[0].trace_id,
            known.install(client),
            INSTALL,
        )


def old_names(facts: Facts) -> Iterator[Finding]:
    """Attributes by names that the conventions have given up; headwater reads the most usual ones."""
    found: dict[tuple[str, str | None], list[SpanFacts]] = defaultdict(list)
    for one in facts.spans:
        if one.with_old_names and known.contrib(one.scope) is None:
            found[one.service, one.scope].append(one)
    for (service, scope), rows in found.items():
        spans, all_spans = sum(row.with_old_names for row in rows), sum(row.spans for row in rows)
        if share_of(spans, all_spans):
            yield Finding(
                "old_names",
                HINT,
                service,
                "uses old names of attributes",
                f"{spans:,} of {many(all_spans, 'span')} of {scope or 'no scope'} have "
                f"{names(sorted({name for row in rows for name in row.old_names}))}.",
                spans,
                rows[0].old_trace_id,
                ("export OTEL_SEMCONV_STABILITY_OPT_IN=messaging",),
                "opentelemetry.io/docs/specs/semconv/messaging",
            )


def cluster_not_watched(facts: Facts) -> Iterator[Finding]:
    """Services use Kafka, and the collector does not look at it."""
    if facts.clusters or not facts.spans:
        return
    said = {server(one.server_address, one.server_port) for one in facts.spans}
    servers = sorted(one for one in said if one)
    yield Finding(
        "cluster_not_watched",
        HINT,
        "collector",
        "watches no Kafka cluster",
        f"{many(sum(one.spans for one in facts.spans), 'Kafka span')} came"
        + (f" of clients of {names(servers)}" if servers else "")
        + ", but lag, groups and clients without instrumentation cannot be seen.",
        sum(one.spans for one in facts.spans),
        None,
        (f"headwater up --kafka {servers[0] if servers else 'HOST:PORT'}",),
        USE,
    )


def cluster_away(facts: Facts) -> Iterator[Finding]:
    """A watched cluster does not answer."""
    for cluster in facts.clusters:
        if cluster.state != "up":
            yield Finding(
                "cluster_away",
                PROBLEM,
                cluster.name,
                f"is {cluster.state}",
                f"{cluster.bootstrap}: {cluster.reason or 'it did not answer the last poll'}.".replace(
                    "..", "."
                ),
                1,
                None,
                (f"headwater up --kafka {cluster.name}={cluster.bootstrap}",),
                USE,
            )
