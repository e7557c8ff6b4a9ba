"""Polls one cluster through librdkafka's AdminClient; its calls block.

The log start is read first, then committed offsets, then the last stable and the end offsets: in another
order a purge between two reads looks like a loss, and lag is understated.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import (
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from headwater_analysis.errors import Unavailable

from .cluster_config import ClusterConfig, librdkafka_options
from .empty_groups import EmptyGroups, remark
from .metadata import STATES, partitions_of, protocol_of
from .refusals import Refusals, reason_of, timed_out
from .retention_times import RetentionTimes
from .snapshot import GroupSeen, Member, Partition, Snapshot

GROUPS_AT_ONCE = 100  # offset requests in flight; each takes one group
MOST_PARTITIONS = 100_000  # kept between polls, so that each is made once

_EARLIEST, _LATEST = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
_AFTER = re.compile(r" \(after \d+ms.*\)$")  # librdkafka's count of attempts, different at each poll
_INTERNAL = ("__consumer_offsets", "__transaction_state", "__share_group_state", "__cluster_metadata")


class Poller:
    """One cluster's admin connection. Polls are not for several threads at a time."""

    def __init__(self, config: ClusterConfig, *, timeout_seconds: float = 10.0) -> None:
        self._config = config
        self._timeout = timeout_seconds
        self._admin: AdminClient | None = None
        self._connection_error: str | None = None
        self._closed = False
        self._empty = EmptyGroups()
        self._retention = RetentionTimes()
        self._partitions: dict[tuple[str, int], Partition] = {}
        self._stale = False
        """A request timed out: librdkafka may hold on for good to a coordinator that was restarted."""

    def poll(self) -> Snapshot:
        """Ask everything once; raises Unavailable when the cluster as a whole gives no answer."""
        started = time.monotonic()
        refusals = Refusals()
        admin = self._connect()
        metadata = self._metadata(admin)
        cluster = metadata.cluster_id or f"unnamed-{self._config.name}"
        groups = self._groups(admin, refusals)
        known, readable = partitions_of(metadata, refusals)
        topics = {name: count for name, count in known.items() if name not in _INTERNAL}
        wanted = [each for each in readable if each.topic in topics]
        log_start = self._offsets(admin, wanted, _EARLIEST, refusals)
        committed, unasked, said = self._committed_or_kept(admin, groups, refusals)
        extra = {each for offsets in committed.values() for each in offsets if each.topic in _INTERNAL}
        wanted += [each for each in readable if each in extra]
        described = self._describe(admin, groups, refusals)
        stable = self._offsets(admin, wanted, _LATEST, refusals, IsolationLevel.READ_COMMITTED)
        end = self._offsets(admin, wanted, _LATEST, refusals)
        return Snapshot(
            at=time.time(),
            cluster=cluster,
            brokers=len(metadata.brokers),
            topics=topics,
            topic_ids=self._topic_ids(admin, list(topics)),
            groups=described,
            committed=committed,
            log_start=log_start,
            stable=stable,
            end=end,
            group_refusals=refusals.groups,
            groups_complete=refusals.groups_complete,
            refusals=refusals.sentences(),
            unasked=unasked,
            remark=said,
            retention_seconds=self._retention.read(
                admin, topics, self._result_map, self._wait, self._timeout
            ),
            poll_ms=(time.monotonic() - started) * 1000,
        )

    def topic_ids(self, topics: list[str]) -> dict[str, str]:
        """Ids of topics now, also beside a poll; raises Unavailable when nothing is connected."""
        if self._admin is None:
            raise Unavailable("the cluster is not connected")
        return self._topic_ids(self._admin, topics)

    def close(self) -> None:
        """Let the connection go; a poll that is under way ends at its next step."""
        self._closed = True
        self._admin = None

    def _connect(self) -> AdminClient:
        if self._closed:
            raise Unavailable("the poller is closed")
        if self._admin is None or self._stale:
            self._admin, self._stale = None, False
            options = {**librdkafka_options(self._config), "error_cb": self._remember_error}
            try:
                self._admin = AdminClient(options)
            except KafkaException as error:
                raise Unavailable(f"its options are refused: {reason_of(error)}") from error
        return self._admin

    def _remember_error(self, error: KafkaError) -> None:
        self._connection_error = _AFTER.sub("", str(error.str()))

    def _metadata(self, admin: AdminClient) -> Any:
        try:
            metadata = admin.list_topics(timeout=self._timeout)
        except KafkaException as error:
            self._stale = True
            admin.poll(0)  # delivers what librdkafka knows of the connection
            reason = self._connection_error or f"no answer within {self._timeout:.0f} s ({reason_of(error)})"
            raise Unavailable(f"{self._config.bootstrap} does not answer: {reason}") from error
        admin.poll(0)
        self._connection_error = None
        return metadata

    def _groups(self, admin: AdminClient, refusals: Refusals) -> dict[str, GroupSeen | None]:
        """The groups that are listed; None of one that must be described to be known."""
        futures = self._result_map(
            lambda: {"": admin.list_consumer_groups(request_timeout=self._timeout)}, [""]
        )
        answer = self._wait(futures[""])
        if isinstance(answer, str):
            refusals.groups_complete = False
            refusals.add("the list of groups", answer)
            return {}
        for error in answer.errors or ():
            refusals.groups_complete = False
            refusals.add("the list of groups", reason_of(error))
        listed = sorted(answer.valid or (), key=lambda listing: listing.group_id)
        return {
            listing.group_id: GroupSeen(listing.group_id, "empty", protocol_of(listing), ())
            if listing.state is ConsumerGroupState.EMPTY
            else None
            for listing in listed
        }

    def _describe(
        self, admin: AdminClient, groups: Mapping[str, GroupSeen | None], refusals: Refusals
    ) -> dict[str, GroupSeen]:
        found = {group: seen for group, seen in groups.items() if seen is not None}
        unknown = [group for group, seen in groups.items() if seen is None]
        if not unknown:
            return found
        futures = self._result_map(
            lambda: admin.describe_consumer_groups(unknown, request_timeout=self._timeout), unknown
        )
        for group, future in futures.items():
            described = self._wait(future)
            if isinstance(described, str):
                refusals.add_group(group, f"members of group {group}", described)
                continue
            found[group] = GroupSeen(
                group=group,
                state=STATES.get(described.state.name, "unknown"),
                protocol=protocol_of(described),
                members=tuple(map(self._member, described.members or ())),
            )
        return found

    def _member(self, member: Any) -> Member:
        assigned = member.assignment.topic_partitions if member.assignment else ()
        return Member(
            member_id=member.member_id or "",
            client_id=member.client_id or "",
            host=member.host or "",
            partitions=tuple(sorted(map(self._partition, assigned))),
        )

    def _committed_or_kept(
        self, admin: AdminClient, groups: Mapping[str, GroupSeen | None], refusals: Refusals
    ) -> tuple[dict[str, Mapping[Partition, int]], frozenset[str], str | None]:
        """Offsets by group, the groups that were not asked, and what is to be said of that."""
        empty = [group for group, seen in groups.items() if seen is not None]
        asked = self._empty.due(empty)
        unasked = frozenset(empty).difference(asked)
        found = self._committed(admin, [group for group in groups if group not in unasked], refusals)
        for group in asked:
            if group in found:
                self._empty.take(group, found[group])
        return {**found, **self._empty.kept(unasked)}, unasked, remark(len(empty), len(asked))

    def _committed(
        self, admin: AdminClient, groups: list[str], refusals: Refusals
    ) -> dict[str, dict[Partition, int]]:
        found: dict[str, dict[Partition, int]] = {}
        for first in range(0, len(groups), GROUPS_AT_ONCE):
            futures: dict[str, Future[Any] | str] = {}
            for group in groups[first : first + GROUPS_AT_ONCE]:
                request = [ConsumerGroupTopicPartitions(group)]
                futures |= self._result_map(
                    lambda request=request: admin.list_consumer_group_offsets(  # type: ignore[misc]
                        request, request_timeout=self._timeout
                    ),
                    [group],
                )
            for group, future in futures.items():
                answer = self._wait(future)
                if isinstance(answer, str):
                    refusals.add_group(group, f"committed offsets of group {group}", answer)
                    continue
                found[group] = {
                    self._partition(each): each.offset
                    for each in answer.topic_partitions or ()
                    if each.offset >= 0 and each.error is None
                }
        return found

    def _partition(self, place: TopicPartition) -> Partition:
        """One object a partition, however many groups read it."""
        key = (place.topic, place.partition)  # equals the Partition, and is made at a fraction of its cost
        found = self._partitions.get(key)
        if found is None:
            if len(self._partitions) >= MOST_PARTITIONS:
                self._partitions.clear()
            found = self._partitions[key] = Partition(*key)
        return found

    def _offsets(
        self,
        admin: AdminClient,
        partitions: list[Partition],
        spec: OffsetSpec,
        refusals: Refusals,
        isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED,
    ) -> dict[Partition, int]:
        if not partitions:
            return {}
        asked = {TopicPartition(each.topic, each.partition): spec for each in partitions}
        futures = self._result_map(
            lambda: admin.list_offsets(asked, isolation_level=isolation, request_timeout=self._timeout),
            list(asked),
        )
        found: dict[Partition, int] = {}
        for key, future in futures.items():
            answer = self._wait(future)
            if isinstance(answer, str):
                refusals.add(f"offsets of topic {key.topic}", answer)
            else:
                found[self._partition(key)] = answer.offset
        return found

    def _topic_ids(self, admin: AdminClient, topics: list[str]) -> dict[str, str]:
        """Topic ids; a broker that has none or refuses leaves them out."""
        if not topics:
            return {}
        futures = self._result_map(
            lambda: admin.describe_topics(TopicCollection(topics), request_timeout=self._timeout), topics
        )
        found: dict[str, str] = {}
        for topic, future in futures.items():
            answer = self._wait(future)
            if not isinstance(answer, str) and (answer.topic_id.get_most_significant_bits() or 0) != 0:
                found[topic] = str(answer.topic_id)
        return found

    def _result_map(
        self, call: Callable[[], Mapping[Any, Future[Any]]], keys: Iterable[Any]
    ) -> dict[Any, Future[Any] | str]:
        """A call's futures by key; a call refused as a whole is a reason for each key."""
        if self._closed:
            raise Unavailable("the poller is closed")
        try:
            return dict(call())
        except (KafkaException, ValueError, TypeError) as error:
            return dict.fromkeys(keys, reason_of(error))

    def _wait(self, future: "Future[Any] | str") -> Any:
        """The future's result, or the reason for which there is none, as text."""
        if isinstance(future, str):
            return future
        try:
            return future.result(self._timeout + 1)
        except (KafkaException, TimeoutError) as error:
            self._stale = self._stale or timed_out(error)
            return reason_of(error)
