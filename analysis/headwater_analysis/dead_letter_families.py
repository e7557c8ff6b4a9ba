"""The conventions by which frameworks mark dead letters and retries: which header holds which fact.

Families stand in the order in which they are tried; what marks a message on purpose comes first, habits last.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

FIRST = "first"
LAST = "last"


@dataclass(frozen=True)
class Family:
    """One convention. A field lists the header names that may hold it, the preferred one first."""

    name: str
    role: str
    """dead_letter | retry: what a message of this family is unless its topic or a header says otherwise."""
    marks: tuple[str, ...]
    """Any of these headers makes a message one of this family."""
    fields: Mapping[str, tuple[str, ...]]
    origin: str = LAST
    """Which of repeated origin headers is the true origin."""
    newest: str = LAST
    """Which of repeated error headers is the newest."""
    time_inherited: bool = False
    """True: the record keeps the time of the record it was made from."""
    without: tuple[str, ...] = field(default=())
    """None of these may be there: they would speak of another family."""


def _numbered(prefix: str, separator: str = "-") -> dict[str, tuple[str, ...]]:
    return {f"origin_{each}": (f"{prefix}{separator}{each}",) for each in ("topic", "partition", "offset")}


def _spring(prefix: str, key_prefix: str) -> dict[str, tuple[str, ...]]:
    return {
        **_numbered(f"{prefix}original"),
        "origin_time": (f"{prefix}original-timestamp",),
        "origin_group": ("kafka_dlt-original-consumer-group",),
        "error_type": (f"{prefix}exception-fqcn", f"{key_prefix}fqcn"),
        "error_cause": (f"{prefix}exception-cause-fqcn",),
        "error_message": (f"{prefix}exception-message", f"{key_prefix}message"),
        "stack": (f"{prefix}exception-stacktrace", f"{key_prefix}stacktrace"),
    }


FAMILIES: tuple[Family, ...] = (
    Family(
        "headwater",
        "dead_letter",
        ("headwater-role",),
        {
            **_numbered("headwater-origin"),
            "origin_group": ("headwater-origin-group",),
            "attempt": ("headwater-attempt",),
            "due": ("headwater-due-ms",),
            "error_type": ("headwater-error-type",),
            "error_message": ("headwater-error-message",),
        },
    ),
    Family(
        "share-group",
        "dead_letter",
        ("__dlq.errors.topic", "__dlq.errors.group"),
        {
            **_numbered("__dlq.errors", "."),
            "origin_group": ("__dlq.errors.group",),
            "attempt": ("__dlq.errors.delivery.count",),
            "error_message": ("__dlq.errors.message",),
        },
    ),
    Family(
        "kafka-connect",
        "dead_letter",
        ("__connect.errors.topic", "__connect.errors.exception.class.name"),
        {
            **_numbered("__connect.errors", "."),
            "error_type": ("__connect.errors.exception.class.name",),
            "error_message": ("__connect.errors.exception.message",),
            "stack": ("__connect.errors.exception.stacktrace",),
        },
        time_inherited=True,
    ),
    Family(
        "kafka-streams",
        "dead_letter",
        ("__streams.errors.topic", "__streams.errors.exception"),
        {
            **_numbered("__streams.errors", "."),
            "error_type": ("__streams.errors.exception",),
            "error_message": ("__streams.errors.message",),
            "stack": ("__streams.errors.stacktrace",),
        },
        time_inherited=True,
    ),
    Family(
        "spring",
        "dead_letter",
        ("kafka_dlt-original-topic", "kafka_dlt-exception-fqcn", "kafka_dlt-key-exception-fqcn"),
        {**_spring("kafka_dlt-", "kafka_dlt-key-exception-"), "attempt": ("kafka_deliveryAttempt",)},
        origin=FIRST,
    ),
    Family(
        "spring-retry",
        "retry",
        ("kafka_original-topic", "retry_topic-attempts", "retry_topic-backoff-timestamp"),
        {
            **_spring("kafka_", "kafka_key-exception-"),
            "origin_time": ("retry_topic-original-timestamp", "kafka_original-timestamp"),
            "attempt": ("retry_topic-attempts",),
            "due": ("retry_topic-backoff-timestamp",),
        },
        origin=FIRST,
    ),
    Family(
        "spring-cloud-stream",
        "dead_letter",
        ("x-exception-fqcn", "x-exception-stacktrace", "x-original-timestamp-type"),
        {
            **_numbered("x-original"),
            "origin_time": ("x-original-timestamp",),
            "error_type": ("x-exception-fqcn",),
            "error_message": ("x-exception-message",),
            "stack": ("x-exception-stacktrace",),
        },
    ),
    Family(
        "smallrye",
        "dead_letter",
        ("dead-letter-topic", "dead-letter-reason", "dead-letter-exception-class-name"),
        {
            "origin_topic": ("delayed-retry-topic", "dead-letter-topic"),
            "origin_partition": ("delayed-retry-partition", "dead-letter-partition"),
            "origin_offset": ("delayed-retry-offset", "dead-letter-offset"),
            "origin_time": ("delayed-retry-original-timestamp",),
            "error_type": ("dead-letter-exception-class-name",),
            "error_cause": ("dead-letter-cause-class-name",),
            "error_message": ("dead-letter-reason",),
            "attempt": ("delayed-retry-count",),
        },
        newest=FIRST,
    ),
    Family(
        "smallrye-retry",
        "retry",
        ("delayed-retry-topic", "delayed-retry-count"),
        {
            **_numbered("delayed-retry"),
            "origin_time": ("delayed-retry-original-timestamp",),
            "error_type": ("delayed-retry-exception-class-name",),
            "error_cause": ("delayed-retry-cause-class-name",),
            "error_message": ("delayed-retry-reason",),
            "attempt": ("delayed-retry-count",),
        },
        newest=FIRST,
    ),
    Family(
        "schema-registry",
        "dead_letter",
        ("__rule.exception",),
        {"origin_topic": ("__rule.topic",), "error_message": ("__rule.exception",)},
    ),
    Family(
        "greyhound",
        "retry",
        ("GH_RetryAttempt", "GH_OriginalTopic"),
        {"origin_topic": ("GH_OriginalTopic",), "attempt": ("GH_RetryAttempt",)},
    ),
    Family(
        "karafka",
        "dead_letter",
        ("source_topic", "source_consumer_group"),
        {
            **_numbered("source", "_"),
            "origin_group": ("source_consumer_group",),
            "attempt": ("source_attempts",),
        },
    ),
    Family(
        "masstransit",
        "dead_letter",
        ("MT-Fault-ExceptionType", "MT-Fault-Message", "MT-Fault-InputAddress"),
        {
            "origin_topic": ("MT-Fault-InputAddress",),
            "error_type": ("MT-Fault-ExceptionType",),
            "error_message": ("MT-Fault-Message",),
            "stack": ("MT-Fault-StackTrace",),
            "attempt": ("MT-Fault-RetryCount", "MT-Redelivery-Count"),
        },
    ),
    Family(
        "watermill",
        "dead_letter",
        ("reason_poisoned", "topic_poisoned"),
        {"origin_topic": ("topic_poisoned",), "error_message": ("reason_poisoned",)},
    ),
    Family(
        "home-made",
        "dead_letter",
        (
            *("dlq.original.topic", "x-original-topic", "original_topic", "dlq-original-topic"),
            *("dlq.error.class", "dlq.error.type", "dlq.error.message", "dlq.reason", "dlq.failure.reason"),
            *("x-error-type", "x-error-reason", "x-exception-message", "dlq-error-class"),
            *("dlq.failed.at", "dlq-failed-at"),
        ),
        {
            "origin_topic": (
                "dlq.original.topic",
                "x-original-topic",
                "original_topic",
                "dlq-original-topic",
            ),
            "origin_partition": (
                *("dlq.original.partition", "x-original-partition", "original_partition"),
                "dlq-original-partition",
            ),
            "origin_offset": (
                *("dlq.original.offset", "x-original-offset", "original_offset"),
                "dlq-original-offset",
            ),
            "error_type": (
                *("dlq.error.class", "dlq.error.type", "dlq.error.name", "x-error-type", "dlq-error-class"),
            ),
            "error_message": (
                *("dlq.error.message", "dlq.reason", "dlq.failure.reason", "x-error-message"),
                *("x-error-reason", "x-exception-message", "x-error"),
            ),
            "stack": ("dlq.error.stack",),
            "attempt": (
                *("dlq.retry.attempt", "dlq.retry.count", "dlq-attempts"),
                *("x-retry-count", "x-retry", "retry_count"),
            ),
        },
    ),
    Family(
        "arroyo",
        "dead_letter",
        ("original_partition", "original_offset"),
        {"origin_partition": ("original_partition",), "origin_offset": ("original_offset",)},
        without=("original_topic",),
    ),
)
