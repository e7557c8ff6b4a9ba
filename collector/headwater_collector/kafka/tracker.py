"""The memory of one cluster between polls: every partition's ends, every group's way, records looked up."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headwater_analysis.health_hand import Hand
from headwater_analysis.health_verdicts import Standing, VerdictKeeper
from headwater_analysis.health_window import Sample, Window
from headwater_analysis.lag_time import RecordTime, SentTimes

from .history import GroupTrack, Life, PartitionTrack
from .lives import Lives, NewLives
from .record_fetcher import Place
from .snapshot import Partition, Snapshot

GAP_POLLS = 5
GAP_SECONDS = 30.0  # a machine that slept
ISOLATION_POLLS = 3
LOG_APPEND_TIME = 1
MOVED_WITHIN_POLLS = 3

Key = tuple[str, Partition]
"""(group, partition)"""


@dataclass(frozen=True)
class Nothing:
    """No record was found from the committed offset up to this last stable offset."""

    stable: int


Found = RecordTime | Nothing


class Tracker:
    """Feed it snapshots in order: `take`, look up what is `wanted`, `give`, `settle`. Not thread-safe."""

    def __init__(self, poll_seconds: float, lives: Mapping[str, Life] | None = None) -> None:
        self.poll_seconds = poll_seconds
        self.lives = Lives(lives)
        self.partitions: dict[Partition, PartitionTrack] = {}
        self.groups: dict[Key, GroupTrack] = {}
        self.sums: dict[tuple[str, str], GroupTrack] = {}
        self.owners: dict[Key, str] = {}
        self.snapshot: Snapshot | None = None
        self.hands: Mapping[Key, Sequence[Hand]] = {}
        """What services say of the messages that they hold or fail at, as of now."""
        self.sent: Mapping[tuple[Partition, int], SentTimes] = {}
        """When the first unread messages were sent, where records may not be read; as of now."""
        self._isolation: dict[str, bool] = {}
        self._found: dict[tuple[Partition, int], Found] = {}
        self._standing_before: dict[Key, Standing] = {}
        self._summed: dict[tuple[str, str], frozenset[int]] = {}

    def remember_end(self, partition: Partition, at: float, end: int) -> None:
        """An end offset from an earlier run; call in order of time, before the first poll."""
        self.partitions.setdefault(partition, PartitionTrack()).ends.add(at, end)

    def remember_standing(self, group: str, topic: str, partition: int | None, before: Standing) -> None:
        """What an earlier run said of a group on a partition, or (None) on the topic."""
        if partition is None:
            self.sums[group, topic] = GroupTrack(keeper=VerdictKeeper(before))
        else:
            self._standing_before[group, Partition(topic, partition)] = before

    def miss(self, reason: str) -> None:
        """A poll failed as a whole."""
        for track in self.groups.values():
            track.unreadable = reason

    def take(self, snapshot: Snapshot) -> NewLives:
        """Take a poll; returns what it says of lives."""
        before, self.snapshot = self.snapshot, snapshot
        fell = {
            partition.topic
            for partition, end in snapshot.end.items()
            if partition in self.partitions and end < (self.partitions[partition].ends.last_end or 0)
        }
        lives = self.lives.take(snapshot, fell.__contains__)
        for topic in {*lives.recreated, *fell}:
            self._forget(topic)
        for partition, end in snapshot.end.items():
            self.partitions.setdefault(partition, PartitionTrack()).add(snapshot.at, end)
        slept = before is not None and (snapshot.at - before.at > GAP_POLLS * self.poll_seconds + GAP_SECONDS)
        self._take_groups(snapshot, slept)
        self._infer_isolation()
        return lives

    def wanted(self) -> Iterator[Place]:
        """Look-ups that would help, the longest silent first; each (partition, offset) once."""
        asked: set[tuple[Partition, int]] = set()
        for (_, partition), track in sorted(self.groups.items(), key=lambda each: each[1].committed_since):
            now = track.samples[-1] if track.samples and track.unreadable is None else None
            if now is None or now.committed is None or now.stable is None or not now.lag or now.lag < 0:
                continue
            place = (partition, now.committed)
            found = self._found.get(place)
            if now.committed >= now.stable or place in asked:
                continue
            if found is None or (isinstance(found, Nothing) and found.stable != now.stable):
                asked.add(place)
                yield Place(partition, now.committed, now.stable)

    def give(self, records: Mapping[Place, Any]) -> None:
        """Take the answers of look-ups; those nobody stands at any more are let go."""
        for place, record in records.items():
            self._found[place.partition, place.offset] = (
                Nothing(place.stable)
                if record is None
                else RecordTime(
                    record.offset, record.timestamp / 1000, record.timestamp_type == LOG_APPEND_TIME
                )
            )
        current = {
            (partition, track.samples[-1].committed)
            for (_, partition), track in self.groups.items()
            if track.samples
        }
        self._found = {place: each for place, each in self._found.items() if place in current}

    def record(self, partition: Partition, committed: int | None) -> RecordTime | None:
        found = None if committed is None else self._found.get((partition, committed))
        return found if isinstance(found, RecordTime) else None

    def window(self, key: Key, lag_seconds: float | None = None) -> Window:
        """What the rules look at, for a track with samples."""
        track = self.groups[key]
        now = track.samples[-1]
        found, nothing = self._look_up(key[1], now)
        return Window(
            samples=tuple(track.samples),
            changes=tuple(track.changes),
            poll_seconds=self.poll_seconds,
            lag_seconds=lag_seconds,
            empty_tail=nothing and now.stable == now.end and (now.lag or 0) > 0,
            readable=False if nothing else None if found is None else True,
            unreadable=track.unreadable,
            committed_since=track.committed_since,
            hands=self.hands.get(key, ()),
        )

    def _look_up(self, partition: Partition, now: Sample) -> tuple[Found | None, bool]:
        """What was found at the committed offset, and whether that is surely nothing."""
        found = None if now.committed is None else self._found.get((partition, now.committed))
        return found, isinstance(found, Nothing) and found.stable == now.stable

    def _lag(self, key: Key, track: GroupTrack) -> int | None:
        """As the rules see it: 0 where what is left holds no record."""
        now = track.samples[-1]
        if not now.lag or now.lag < 0 or now.stable != now.end:
            return now.lag
        return 0 if self._look_up(key[1], now)[1] else now.lag

    def settle(self) -> None:
        """After the look-ups: add this poll's sums over each group's partitions of a topic."""
        assert self.snapshot is not None
        sums: dict[tuple[str, str], list[tuple[int, int, int]]] = {}
        for key, track in self.groups.items():
            place = (key[0], key[1].topic)
            sums.setdefault(place, [])
            if track.samples and track.unreadable is None:
                now, lag = track.samples[-1], self._lag(key, track)
                if lag is not None and now.end is not None:
                    sums[place].append((key[1].partition, now.end - lag, now.end))
        self.sums = {place: track for place, track in self.sums.items() if place in sums}
        for place, parts in sums.items():
            track = self.sums.setdefault(place, GroupTrack())
            members = frozenset(partition for partition, _, _ in parts)
            if self._summed.get(place) != members:
                track.forget()
            self._summed[place] = members
            committed, end = sum(part[1] for part in parts), sum(part[2] for part in parts)
            known = bool(parts)
            track.add(Sample(self.snapshot.at, None, committed if known else None, end, None, None))

    def reads_committed(self, group: str) -> bool | None:
        """The group's isolation as far as its offsets give it away."""
        return self._isolation.get(group)

    def _forget(self, topic: str) -> None:
        """A topic that was recreated or cut starts a new history."""
        for partition in [each for each in self.partitions if each.topic == topic]:
            del self.partitions[partition]
        for (_, partition), track in self.groups.items():
            if partition.topic == topic:
                track.forget()
        for (_, summed), track in self.sums.items():
            if summed == topic:
                track.forget()
        self._found = {place: found for place, found in self._found.items() if place[0].topic != topic}

    def _take_groups(self, snapshot: Snapshot, after_gap: bool) -> None:
        self.owners = _owners(snapshot)
        keys: set[Key] = {(group, each) for group, offsets in snapshot.committed.items() for each in offsets}
        keys |= {key for key in self.owners if key[0] in snapshot.committed}
        for key in [each for each in self.groups if each not in keys]:
            reason = snapshot.group_refusals.get(key[0])
            if reason is None and not snapshot.groups_complete:
                reason = "the group was not listed: not every coordinator answers"
            if reason is None:
                del self.groups[key]  # deleted, commits expired, or given up without a commit
            else:
                self.groups[key].unreadable = reason
        for key in keys:
            track = self.groups.get(key)
            if track is None:
                keeper = VerdictKeeper(self._standing_before.pop(key, None))
                track = self.groups[key] = GroupTrack(keeper=keeper)
            reason = _unreadable(snapshot, key)
            if reason is None:
                track.add(_sample(snapshot, key, self.owners.get(key), after_gap))
            else:
                track.unreadable = reason

    def _infer_isolation(self) -> None:
        """Committed stands at a last stable offset below the end on three polls: read_committed."""
        for (group, _), track in self.groups.items():
            samples = track.samples
            now = samples[-1] if samples else None
            if now is None or now.committed is None or now.end is None or now.stable is None:
                continue
            if now.stable < now.committed <= now.end:
                self._isolation[group] = False
            elif now.committed == now.stable < now.end and len(samples) >= ISOLATION_POLLS:
                last = [samples[-1 - back] for back in range(ISOLATION_POLLS)]
                if all(
                    each.committed == each.stable == now.stable and now.stable < (each.end or 0)
                    for each in last
                ):
                    self._isolation[group] = True


def _owners(snapshot: Snapshot) -> dict[Key, str]:
    """Who has each partition: by client id where that tells the members apart, else by member id."""
    owners: dict[Key, str] = {}
    for group in snapshot.groups.values():
        telling = len({member.client_id for member in group.members}) == len(group.members)
        for member in group.members:
            name = member.client_id if telling and member.client_id else member.member_id
            owners.update(((group.group, partition), name) for partition in member.partitions)
    return owners


def _unreadable(snapshot: Snapshot, key: Key) -> str | None:
    group, partition = key
    if group in snapshot.group_refusals:
        return snapshot.group_refusals[group]
    if partition in snapshot.end and partition in snapshot.log_start and partition in snapshot.stable:
        return None
    if partition.topic not in snapshot.topics:
        refused = next((each for each in snapshot.refusals if f"topic {partition.topic}:" in each), None)
        return refused or f"topic {partition.topic} does not exist (any more)"
    if partition.partition >= snapshot.topics[partition.topic]:
        return f"topic {partition.topic} has no partition {partition.partition}"
    refused = next((each for each in snapshot.refusals if f"topic {partition.topic}:" in each), None)
    return refused or "the broker gave no offsets for this partition"


def _sample(snapshot: Snapshot, key: Key, owner: str | None, after_gap: bool) -> Sample:
    group, partition = key
    seen = snapshot.groups.get(group)
    return Sample(
        at=snapshot.at,
        log_start=snapshot.log_start[partition],
        committed=snapshot.committed[group].get(partition),
        end=snapshot.end[partition],
        stable=snapshot.stable[partition],
        owner=owner,
        state=seen.state if seen else "unknown",
        protocol=seen.protocol if seen else "classic",
        members=hash(frozenset(member.member_id for member in seen.members)) if seen else 0,
        after_gap=after_gap,
    )
