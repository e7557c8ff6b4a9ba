"""What is known of the instrumentations of Kafka clients: how to tell them apart, and the lines that mend."""

import re
from dataclasses import dataclass

OURS = "headwater_instrumentation"


@dataclass(frozen=True)
class Client:
    """A Python client that headwater-instrumentation covers."""

    distribution: str
    instrumentor: str
    disabled_as: str
    """What OTEL_PYTHON_DISABLED_INSTRUMENTATIONS calls OpenTelemetry's own."""


AIOKAFKA = Client("aiokafka", "AIOKafkaInstrumentor", "aiokafka")
CONFLUENT = Client("confluent-kafka", "ConfluentKafkaInstrumentor", "confluent_kafka")
KAFKA_PYTHON = Client("kafka-python", "KafkaPythonInstrumentor", "kafka")

_CONTRIB = {
    "opentelemetry.instrumentation.aiokafka": AIOKAFKA,
    "opentelemetry.instrumentation.confluent_kafka": CONFLUENT,
    "opentelemetry.instrumentation.kafka": KAFKA_PYTHON,
    "opentelemetry.instrumentation.kafka_python": KAFKA_PYTHON,
}
"""Scopes of OpenTelemetry's own instrumentations for Python."""
_JAVA = ("io.opentelemetry.kafka", "io.opentelemetry.spring-kafka", "io.opentelemetry.vertx-kafka")

# The names that clients give themselves where the service gives none.
_CLIENT_IDS = (
    (re.compile(r"^aiokafka-\d"), "aiokafka"),
    (re.compile(r"^kafka-python-\d"), "kafka-python"),
    (re.compile(r"^rdkafka$"), "librdkafka (confluent-kafka in Python)"),
    (re.compile(r"^consumer-.+-\d+$"), "the Java client"),
    (re.compile(r"^sarama$"), "sarama (Go)"),
    (re.compile(r"^kafkajs$"), "kafkajs (Node.js)"),
)
_OF_LIBRARY = {"aiokafka": AIOKAFKA, "kafka-python": KAFKA_PYTHON}


def contrib(scope: str | None) -> Client | None:
    """The client of a scope of OpenTelemetry's own instrumentation for Python."""
    return _CONTRIB.get(scope or "")


def ours(scope: str | None) -> bool:
    """Whether spans of this scope are headwater-instrumentation's."""
    return scope is not None and (scope == OURS or scope.startswith(OURS + "."))


def java(scope: str | None) -> bool:
    """Whether spans of this scope are those of OpenTelemetry for Java."""
    return scope is not None and scope.startswith(_JAVA)


def client_of(scope: str | None) -> Client | None:
    """The Python client whose spans have this scope; None for other languages and for spans made by hand."""
    if ours(scope):
        last = (scope or "").rpartition(".")[2]
        return next((one for one in _CONTRIB.values() if one.distribution.replace("-", "_") == last), None)
    return contrib(scope)


def library_of(client_ids: tuple[str, ...]) -> str | None:
    """The client library of a group's members, where all gave themselves its default name; else None."""
    found = {next((library for form, library in _CLIENT_IDS if form.match(one)), None) for one in client_ids}
    return found.pop() if len(found) == 1 else None


def install(client: Client | None = None) -> tuple[str, ...]:
    """The lines that instrument a Python service."""
    first = "pip install headwater-instrumentation"
    if client is None:
        return first, "opentelemetry-instrument python service.py"
    return (
        first,
        f"from headwater_instrumentation import {client.instrumentor}",
        f"{client.instrumentor}().instrument()",
    )


JAVA_AGENT = "java -javaagent:opentelemetry-javaagent.jar -jar service.jar"


def install_for(library: str | None) -> tuple[str, ...]:
    """The lines for a client library; those of Python and of the JVM where it is not known."""
    if library is None:
        return *install(), JAVA_AGENT
    if library == "the Java client":
        return (JAVA_AGENT,)
    if library.startswith("librdkafka"):
        return install(CONFLUENT)
    if library.startswith("sarama"):
        return ("go get github.com/dnwe/otelsarama",)
    if library.startswith("kafkajs"):
        return ("npm install @opentelemetry/instrumentation-kafkajs",)
    return install(_OF_LIBRARY[library])


def continuing(scopes: frozenset[str | None], language: str | None) -> tuple[str, ...]:
    """The lines that make a consumer continue the context of its messages."""
    if any(java(scope) for scope in scopes) or language == "java":
        return (JAVA_AGENT,)
    found = next((client for scope in sorted(map(str, scopes)) if (client := client_of(scope))), None)
    if found is not None or language in (None, "python"):
        return install(found)
    return ("context = propagator.extract(headers)   # then start the span in it",)


def injecting(scopes: frozenset[str | None], language: str | None) -> tuple[str, ...]:
    """The lines that make a producer write its context into the headers."""
    if any(java(scope) for scope in scopes) or language == "java":
        return ("export OTEL_INSTRUMENTATION_KAFKA_PRODUCER_PROPAGATION_ENABLED=true",)
    if any(ours(scope) for scope in scopes):
        return ("export OTEL_PROPAGATORS=tracecontext,baggage",)
    found = next((client for scope in sorted(map(str, scopes)) if (client := contrib(scope))), None)
    if found is not None or language in (None, "python"):
        return install(found)
    return ("propagator.inject(headers)   # before the message is sent",)
