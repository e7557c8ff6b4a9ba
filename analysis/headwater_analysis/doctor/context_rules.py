"""Rules about context: does the handling of a message lead back to its sending?"""

from collections.abc import Iterator

from headwater_analysis import format as fmt

from . import instrumentations as known
from .facts import ContextFacts, Facts
from .finding import HINT, INSTALL, PROBLEM, SWITCHES, TROUBLE, USE, Finding, many, share_of


def lost_between(facts: Facts) -> Iterator[Finding]:
    """Sending and handling are both stored and do not lead to each other.

    Whose fault it is shows in the others: a consumer that continues the context of other messages reads headers,
    so the producer writes none; a producer whose messages others continue writes them, so the consumer does not
    read them. Where neither shows, both are named.
    """
    for pair in facts.contexts:
        if pair.producer_service is None or not share_of(pair.lost, pair.messages):
            continue
        readers = _scopes(facts, pair.consumer_service, pair.topic, ("process", "receive"))
        writers = _scopes(facts, pair.producer_service, pair.topic, ("send", "create"))
        reads = any(known.ours(scope) for scope in readers) or any(
            other.continued for other in facts.contexts if _same_consumer(other, pair)
        )
        writes = any(
            other.continued
            for other in facts.contexts
            if other.producer_service == pair.producer_service and other.topic == pair.topic
        )
        evidence = (
            f"{pair.lost:,} of {many(pair.messages, 'message')} from {pair.producer_service} to "
            f"{pair.consumer_service} are handled by spans that are neither below the sending span nor linked to it"
        )
        reading = known.continuing(readers, _language(facts, pair.consumer_service))
        writing = known.injecting(writers, _language(facts, pair.producer_service))
        example = pair.place(pair.lost_example)
        if reads and not writes:
            # No switch mends what these two cannot do; their messages are still joined by their coordinates.
            confluent = any(
                known.ours(scope) and known.client_of(scope) is known.CONFLUENT for scope in writers
            )
            why = ": AIOProducer and produce_batch send none" if confluent else ""
            writing = ("producer.produce(topic, value)   # of Producer",) if confluent else writing
            yield Finding(
                "sent_without_context",
                HINT if confluent else PROBLEM,
                f"{pair.producer_service} on {pair.topic}",
                "sends without context in the headers",
                f"{evidence}; {pair.consumer_service} does read headers{why}.",
                pair.lost,
                example,
                writing,
                INSTALL,
            )
        elif writes and not reads:
            yield _not_continued(
                pair, f"{evidence}; other consumers of {pair.topic} do continue it.", example, reading
            )
        else:
            doubt = (
                "other messages of both do lead to each other"
                if reads
                else f"if {pair.consumer_service} does read headers, {pair.producer_service} writes none"
            )
            yield _not_continued(
                pair, f"{evidence}; {doubt}.", example, tuple(dict.fromkeys((*reading, *writing)))
            )


def _not_continued(pair: ContextFacts, evidence: str, example: str | None, mend: tuple[str, ...]) -> Finding:
    return Finding(
        "context_not_continued",
        PROBLEM,
        _consumer(pair),
        f"does not continue the context of {pair.producer_service}",
        evidence,
        pair.lost,
        example,
        mend,
        INSTALL,
    )


def without_context(facts: Facts) -> Iterator[Finding]:
    """Messages of unknown senders are handled by spans without parent and without link."""
    for pair in facts.contexts:
        if not share_of(pair.without_context, pair.messages):
            continue
        readers = _scopes(facts, pair.consumer_service, pair.topic, ("process", "receive"))
        reads = any(known.ours(scope) for scope in readers) or any(
            other.continued for other in facts.contexts if _same_consumer(other, pair)
        )
        counted = (
            f"{pair.without_context:,} of {many(pair.messages, 'message')} whose sending span is not stored reach "
            f"{_consumer(pair)} without any context"
        )
        if reads:
            evidence = (
                f"{counted}, and {pair.consumer_service} does read headers: their producer writes none."
            )
            mend: tuple[str, ...] = (
                "pip install headwater-instrumentation   # where they are produced",
                *known.install_for(None)[1:],
            )
        else:
            evidence = f"{counted}: their producer writes none, or {pair.consumer_service} reads no headers."
            mend = known.continuing(readers, _language(facts, pair.consumer_service))
        yield Finding(
            "no_context",
            PROBLEM if not reads else HINT,
            f"{pair.topic}" if reads else _consumer(pair),
            "messages without context in their headers" if reads else "begins a new trace for every message",
            evidence,
            pair.without_context,
            pair.place(pair.without_example),
            mend,
            INSTALL,
        )


def sender_not_stored(facts: Facts) -> Iterator[Finding]:
    """Messages carry the context of spans that never arrived."""
    for pair in facts.contexts:
        if share_of(pair.sender_not_stored, pair.messages):
            yield Finding(
                "sender_not_stored",
                PROBLEM,
                pair.topic,
                "its producer's spans do not arrive here",
                f"{pair.sender_not_stored:,} of {many(pair.messages, 'message')} that {_consumer(pair)} handles carry "
                "the context of a span that was never stored: its producer exports elsewhere, or samples by itself.",
                pair.sender_not_stored,
                pair.place(pair.not_stored_example),
                (
                    "export OTEL_EXPORTER_OTLP_ENDPOINT=http://COLLECTOR:4318",
                    "export OTEL_TRACES_SAMPLER=parentbased_always_on",
                ),
                USE,
            )


def clock_skew(facts: Facts) -> Iterator[Finding]:
    """Messages are handled before they are sent."""
    for pair in facts.contexts:
        if pair.skewed and pair.skew_ms is not None:
            yield Finding(
                "clock_skew",
                PROBLEM,
                f"{pair.producer_service} and {pair.consumer_service}",
                "their clocks differ",
                f"{pair.skewed:,} of {many(pair.messages, 'message')} on {pair.topic} are handled before they are "
                f"sent, by up to {pair.skew_ms:,.0f} ms; their waits are unknown.",
                pair.skewed,
                pair.place(pair.skew_example),
                ("sudo timedatectl set-ntp true   # on the hosts of both",),
                TROUBLE,
            )


def event_id_repeated(facts: Facts) -> Iterator[Finding]:
    """Ids of events stand on many messages of a topic."""
    for one in facts.events:
        yield Finding(
            "event_id_repeated",
            HINT,
            one.topic,
            "its event ids do not tell events apart",
            f"{many(one.event_ids, 'event id')} on {one.topic} "
            f"(such as {one.event_id}, sent by {one.producer_service}) "
            f"{'stands' if one.event_ids == 1 else 'stand'} on more than 20 messages each, {one.messages:,} in all: "
            "copies of a message are not looked for by them.",
            one.messages,
            fmt.place(one.topic, one.example["partition"], one.example["message_offset"]),
            ("export HEADWATER_KAFKA_EVENT_ID_HEADERS=ce_id   # names events",),
            SWITCHES,
        )


def _consumer(pair: ContextFacts) -> str:
    group = (
        f" (group {pair.consumer_group})" if pair.consumer_group not in (None, pair.consumer_service) else ""
    )
    return f"{pair.consumer_service}{group} on {pair.topic}"


def _same_consumer(one: ContextFacts, other: ContextFacts) -> bool:
    return (one.consumer_service, one.consumer_group) == (other.consumer_service, other.consumer_group)


def _scopes(facts: Facts, service: str, topic: str, roles: tuple[str, ...]) -> frozenset[str | None]:
    return frozenset(
        one.scope
        for one in facts.spans
        if one.service == service and one.topic in (topic, None) and one.role in roles
    )


def _language(facts: Facts, service: str) -> str | None:
    return next((one.sdk_language for one in facts.services if one.service == service), None)
