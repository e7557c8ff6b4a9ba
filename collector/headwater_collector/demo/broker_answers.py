"""What the embedded broker answers to each request, as the fields of the response's structure."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from .broker_groups import GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP, Member
from .broker_log import RETAINED_BYTES, CorruptBatch, Partition

if TYPE_CHECKING:
    from .broker import Broker

Fields = tuple[Any, ...]

OFFSET_OUT_OF_RANGE = 1
CORRUPT_MESSAGE = 2
UNKNOWN_TOPIC_OR_PARTITION = 3
INVALID_TOPIC = 17
TOPIC_ALREADY_EXISTS = 36
INVALID_PARTITIONS = 37
TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53
LATEST, EARLIEST = -1, -2
DEFAULT_CONFIG = 5
"""Where a setting comes from: the broker's default."""


class Answers:
    """Answers decoded requests; ``None`` means that the client expects no answer."""

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._waiting: dict[tuple[str, int], set[asyncio.Event]] = defaultdict(set)
        self._producer_id = 1_000
        self._by_key: dict[int, Callable[[Any, str, str], Awaitable[Fields | None]]] = {
            0: self._produce,
            1: self._fetch,
            2: self._list_offsets,
            3: self._metadata,
            8: self._offset_commit,
            9: self._offset_fetch,
            10: self._find_coordinator,
            11: self._join,
            12: self._heartbeat,
            13: self._leave,
            14: self._sync,
            15: self._describe_groups,
            16: self._list_groups,
            19: self._create_topics,
            20: self._delete_topics,
            22: self._init_producer_id,
            32: self._describe_configs,
            37: self._create_partitions,
            42: self._delete_groups,
        }

    async def answer(self, key: int, request: Any, client: str, peer: str) -> Fields | None:
        """The fields of the response."""
        return await self._by_key[key](request, client, peer)

    async def _metadata(self, request: Any, *_: str) -> Fields:
        topics = self._broker.topics
        names = list(topics.by_name) if request.topics is None else request.topics
        answers: list[Fields] = []
        for name in names:
            partitions = topics.get(name, create=request.allow_auto_topic_creation and _valid(name))
            if partitions is None:
                answers.append(
                    (UNKNOWN_TOPIC_OR_PARTITION if _valid(name) else INVALID_TOPIC, name, False, [])
                )
            else:
                listed: list[Fields] = [(0, index, 0, [0], [0], []) for index in range(len(partitions))]
                answers.append((0, name, False, listed))
        broker = self._broker
        return 0, [(0, broker.host, broker.port, None)], broker.cluster_id, 0, answers

    async def _produce(self, request: Any, *_: str) -> Fields | None:
        tail: Fields = (0,) if request.API_VERSION >= 5 else ()
        answers = []
        for topic, parts in request.topics:
            results = []
            for index, data in parts:
                partition = self._broker.topics.partition(topic, index, create=True)
                if partition is None:
                    results.append((index, UNKNOWN_TOPIC_OR_PARTITION, -1, -1, *((-1,) if tail else ())))
                    continue
                try:
                    base = partition.append(bytes(data))
                except CorruptBatch:
                    results.append((index, CORRUPT_MESSAGE, -1, -1, *((-1,) if tail else ())))
                    continue
                results.append((index, 0, base, -1, *((partition.start,) if tail else ())))
                for event in self._waiting.pop((topic, index), ()):
                    event.set()
            answers.append((topic, results))
        return None if request.required_acks == 0 else (answers, 0)

    async def _fetch(self, request: Any, *_: str) -> Fields:
        deadline = time.monotonic() + request.max_wait_time / 1000
        while True:
            answers, size, failed = self._read(request)
            left = deadline - time.monotonic()
            if failed or size >= max(request.min_bytes, 1) or left <= 0:
                return 0, answers
            event = asyncio.Event()
            places = [(topic, part[0]) for topic, parts in request.topics for part in parts]
            for place in places:
                self._waiting[place].add(event)
            try:
                async with asyncio.timeout(left):
                    await event.wait()
            except TimeoutError:
                continue
            finally:
                for place in places:
                    self._waiting[place].discard(event)

    def _read(self, request: Any) -> tuple[list[Any], int, bool]:
        answers, size, failed = [], 0, False
        for topic, parts in request.topics:
            results: list[Fields] = []
            for index, offset, at_most in parts:
                partition = self._broker.topics.partition(topic, index)
                if partition is None:
                    failed = True
                    results.append((index, UNKNOWN_TOPIC_OR_PARTITION, -1, -1, [], b""))
                elif not partition.start <= offset <= partition.end:
                    failed = True
                    results.append((index, OFFSET_OUT_OF_RANGE, partition.end, partition.end, [], b""))
                else:
                    data = partition.read(offset, at_most)
                    size += len(data)
                    results.append((index, 0, partition.end, partition.end, [], data))
            answers.append((topic, results))
        return answers, size, failed

    async def _list_offsets(self, request: Any, *_: str) -> Fields:
        answers = []
        for topic, parts in request.topics:
            results = []
            for index, timestamp in parts:
                partition = self._broker.topics.partition(topic, index)
                if partition is None:
                    results.append((index, UNKNOWN_TOPIC_OR_PARTITION, -1, -1))
                elif timestamp == LATEST:
                    results.append((index, 0, -1, partition.end))
                elif timestamp == EARLIEST:
                    results.append((index, 0, -1, partition.start))
                else:
                    results.append((index, 0, *partition.at_time(timestamp)))
            answers.append((topic, results))
        return (answers,)

    async def _find_coordinator(self, request: Any, *_: str) -> Fields:
        broker = self._broker
        place = (0, broker.host, broker.port)
        return (0, *place) if request.API_VERSION == 0 else (0, 0, None, *place)

    async def _join(self, request: Any, client: str, peer: str) -> Fields:
        member = Member(
            protocols=dict(request.group_protocols),
            session_seconds=request.session_timeout / 1000,
            rebalance_seconds=request.rebalance_timeout / 1000,
            client_id=client,
            host=f"/{peer}",
        )
        group = self._broker.group(request.group)
        return (0, *await group.join(request.member_id, request.protocol_type, member))

    async def _sync(self, request: Any, *_: str) -> Fields:
        group = self._broker.group(request.group)
        assignments = {name: bytes(data) for name, data in request.group_assignment}
        return (0, *await group.sync(request.member_id, request.generation_id, assignments))

    async def _heartbeat(self, request: Any, *_: str) -> Fields:
        return 0, self._broker.group(request.group).heartbeat(request.member_id, request.generation_id)

    async def _leave(self, request: Any, *_: str) -> Fields:
        return 0, self._broker.group(request.group).leave(request.member_id)

    async def _offset_commit(self, request: Any, *_: str) -> Fields:
        offsets = {
            (topic, index): (offset, metadata or "")
            for topic, parts in request.topics
            for index, offset, metadata in parts
        }
        group = self._broker.group(request.consumer_group)
        error = group.commit(request.consumer_id, request.consumer_group_generation_id, offsets)
        return ([(topic, [(part[0], error) for part in parts]) for topic, parts in request.topics],)

    async def _offset_fetch(self, request: Any, *_: str) -> Fields:
        group = self._broker.groups.get(request.consumer_group)
        known = group.offsets if group is not None else {}
        wanted: list[tuple[str, list[int]]] = []
        if request.topics is None:
            by_topic: dict[str, list[int]] = defaultdict(list)
            for topic, index in known:
                by_topic[topic].append(index)
            wanted = list(by_topic.items())
        else:
            wanted = [(topic, list(parts)) for topic, parts in request.topics]
        answers = [
            (topic, [(index, *known.get((topic, index), (-1, "")), 0) for index in parts])
            for topic, parts in wanted
        ]
        return 0, answers, 0

    async def _list_groups(self, _request: Any, *_: str) -> Fields:
        return 0, 0, [(group.name, group.protocol_type) for group in self._broker.groups.values()]

    async def _describe_groups(self, request: Any, *_: str) -> Fields:
        answers: list[Any] = []
        for name in request.groups:
            group = self._broker.groups.get(name)
            if group is None:
                answers.append((0, name, "Dead", "", "", []))
                continue
            members = [
                (
                    member_id,
                    member.client_id,
                    member.host,
                    member.protocols.get(group.protocol, b""),
                    member.assignment,
                )
                for member_id, member in group.members.items()
            ]
            answers.append((0, name, group.state, group.protocol_type, group.protocol, members))
        return 0, answers

    async def _delete_groups(self, request: Any, *_: str) -> Fields:
        answers = []
        for name in request.groups_names:
            group = self._broker.groups.get(name)
            error = GROUP_ID_NOT_FOUND if group is None else NON_EMPTY_GROUP if group.members else 0
            if not error:
                del self._broker.groups[name]
            answers.append((name, error))
        return 0, answers

    async def _create_topics(self, request: Any, *_: str) -> Fields:
        topics, answers = self._broker.topics, []
        for name, partitions, *_rest in request.create_topic_requests:
            error = 0
            if name in topics.by_name:
                error = TOPIC_ALREADY_EXISTS
            elif not _valid(name):
                error = INVALID_TOPIC
            elif not request.validate_only:
                topics.create(name, partitions)
            answers.append((name, error, None))
        return 0, answers

    async def _delete_topics(self, request: Any, *_: str) -> Fields:
        by_name = self._broker.topics.by_name
        return 0, [
            (name, 0 if by_name.pop(name, None) is not None else UNKNOWN_TOPIC_OR_PARTITION)
            for name in request.topics
        ]

    async def _create_partitions(self, request: Any, *_: str) -> Fields:
        answers: list[Any] = []
        for name, (count, _assignment) in request.topic_partitions:
            partitions = self._broker.topics.get(name)
            if partitions is None:
                answers.append((name, UNKNOWN_TOPIC_OR_PARTITION, None))
            elif count <= len(partitions):
                answers.append((name, INVALID_PARTITIONS, f"The topic has {len(partitions)} already."))
            else:
                partitions.extend(Partition() for _ in range(count - len(partitions)))
                answers.append((name, 0, None))
        return 0, answers

    async def _describe_configs(self, request: Any, *_: str) -> Fields:
        fixed: list[Fields] = [
            ("cleanup.policy", "delete", True, DEFAULT_CONFIG, False, []),
            ("retention.bytes", str(RETAINED_BYTES), True, DEFAULT_CONFIG, False, []),
        ]
        return 0, [(0, None, kind, name, fixed) for kind, name, _keys in request.resources]

    async def _init_producer_id(self, request: Any, *_: str) -> Fields:
        if request.transactional_id is not None:
            return 0, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, -1, -1
        self._producer_id += 1
        return 0, 0, self._producer_id, 0


def _valid(name: str) -> bool:
    return 0 < len(name) <= 249 and all(sign.isascii() and (sign.isalnum() or sign in "._-") for sign in name)
