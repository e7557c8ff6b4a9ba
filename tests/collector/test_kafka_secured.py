"""A real broker that asks who is there, and one that forbids a group."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from kafka_harness import SECRET, KafkaBroker
from kafka_watching import commit, produce, watching

pytestmark = pytest.mark.kafka


def _options(mechanism: str, password: str = SECRET) -> dict[str, str]:
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": mechanism,
        "sasl.username": "watcher",
        "sasl.password": password,
    }


@pytest.fixture(scope="module")
def topic(kafka: KafkaBroker) -> str:
    """With a group behind, and a user for SCRAM."""
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
    admin = kafka.admin()
    upsertion = UserScramCredentialUpsertion("watcher", info, SECRET.encode())
    admin.alter_user_scram_credentials([upsertion])["watcher"].result(60)
    name = kafka.create_topic("secured-orders", 1)
    produce(kafka.bootstrap, name, ["x"] * 10)
    commit(kafka.bootstrap, "secured-group", name, {0: 4})
    commit(kafka.bootstrap, "secured-hidden", name, {0: 5})
    return name


@pytest.fixture(scope="module")
def share_group(kafka: KafkaBroker, topic: str) -> str:
    """Kafka's own share consumer was there; the group outlives it."""
    with kafka.share_consumer("secured-shared", topic):
        return "secured-shared"


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
async def test_offsets_records_and_share_groups_are_read_as_the_user(
    kafka: KafkaBroker, topic: str, share_group: str, tmp_path: Path, mechanism: str
) -> None:
    async with watching(tmp_path / "s.duckdb", kafka.secured, secured_by=_options(mechanism)) as watched:
        row = await watched.status("secured-group", "stopped")
        assert (row["topic"], row["lag"]) == (topic, 6)
        await watched.until(
            lambda: watched.rows("lag_now", consumer_group="secured-group", lag_method="record_unchecked"),
            "the record's time",
        )
        await watched.until(lambda: watched.rows("clusters", share_groups=[share_group]), "the share group")


async def test_a_wrong_password_is_a_state_with_a_reason(
    kafka: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    wrong = _options("SCRAM-SHA-256", "no-such-secret")
    async with watching(tmp_path / "s.duckdb", kafka.secured, secured_by=wrong) as watched:
        await watched.until(
            lambda: any(
                "uthentication" in str(row["reason"]) for row in watched.rows("cluster_rows", state="down")
            ),
            "the reason",
        )
        assert "no-such-secret" not in str(watched.watch.status())


@pytest.fixture
def forbidden(kafka: KafkaBroker, topic: str) -> Iterator[AclBinding]:
    """Says who may not see the group; gone at the end."""
    place = (ResourceType.GROUP, "secured-hidden", ResourcePatternType.LITERAL, "User:ANONYMOUS", "*")
    admin = kafka.admin()
    yield AclBinding(*place, AclOperation.DESCRIBE, AclPermissionType.DENY)
    every = AclBindingFilter(*place, AclOperation.ANY, AclPermissionType.ANY)
    admin.delete_acls([every])[every].result(60)


async def test_a_group_that_may_not_be_seen_leaves_and_the_others_stay(
    kafka: KafkaBroker, forbidden: AclBinding, tmp_path: Path
) -> None:
    async with watching(tmp_path / "s.duckdb", kafka.bootstrap) as watched:
        await watched.status("secured-hidden", "stopped")
        admin = kafka.admin()
        await asyncio.to_thread(lambda: admin.create_acls([forbidden])[forbidden].result(60))

        def hidden() -> bool:
            rows = watched.rows("lag_now", consumer_group="secured-hidden")
            return not rows or (rows[0]["status"], rows[0]["lag"]) == ("unknown", None)

        await watched.until(hidden, "the end of what may not be seen")
        await watched.polled()
        [row] = watched.rows("lag_now", consumer_group="secured-group")
        assert (row["status"], row["lag"]) == ("stopped", 6)
