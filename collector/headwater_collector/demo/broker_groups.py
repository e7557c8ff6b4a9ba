"""Consumer groups of the embedded broker, by the classic protocol: join, sync, heartbeat, leave, commit."""

import asyncio
import time
import uuid
from dataclasses import dataclass, field

NONE = 0
ILLEGAL_GENERATION = 22
INCONSISTENT_GROUP_PROTOCOL = 23
UNKNOWN_MEMBER_ID = 25
REBALANCE_IN_PROGRESS = 27
NON_EMPTY_GROUP = 68
GROUP_ID_NOT_FOUND = 69

FIRST_JOIN_SECONDS = 0.15
"""How long an empty group waits for others before its first generation."""

JoinAnswer = tuple[int, int, str, str, str, list[tuple[str, bytes]]]
"""(error, generation, protocol, leader, member, members as the leader sees them)"""


@dataclass
class Member:
    """One consumer of a group."""

    protocols: dict[str, bytes]
    session_seconds: float
    rebalance_seconds: float
    client_id: str
    host: str
    seen: float = field(default_factory=time.monotonic)
    joining: "asyncio.Future[JoinAnswer] | None" = None
    syncing: "asyncio.Future[tuple[int, bytes]] | None" = None
    assignment: bytes = b""


class Group:
    """One consumer group; every method runs in the broker's event loop."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = "Empty"
        self.protocol_type = "consumer"
        self.protocol = ""
        self.generation = 0
        self.leader = ""
        self.members: dict[str, Member] = {}
        self.offsets: dict[tuple[str, int], tuple[int, str]] = {}
        """(topic, partition) → (committed offset, metadata)"""
        self._timer: asyncio.TimerHandle | None = None
        self._gathering = False

    async def join(self, member_id: str, protocol_type: str, member: Member) -> JoinAnswer:
        """A member joins or joins again; answered when the generation is complete."""
        if member_id and member_id not in self.members:
            return UNKNOWN_MEMBER_ID, -1, "", "", member_id, []
        others = [set(one.protocols) for one in self.members.values()]
        if not member.protocols or (others and not set(member.protocols).intersection(*others)):
            return INCONSISTENT_GROUP_PROTOCOL, -1, "", "", member_id, []
        member_id = member_id or f"{member.client_id}-{uuid.uuid4()}"
        empty = not self.members
        self.protocol_type = protocol_type
        joined: asyncio.Future[JoinAnswer] = asyncio.get_running_loop().create_future()
        member.joining = joined
        self.members[member_id] = member
        if self.state != "PreparingRebalance":
            self._prepare(FIRST_JOIN_SECONDS if empty else None)
        self._complete_if_all_joined()
        return await joined

    async def sync(self, member_id: str, generation: int, assignments: dict[str, bytes]) -> tuple[int, bytes]:
        """A member asks for its assignment; the leader brings everyone's."""
        member = self.members.get(member_id)
        error = self._check(member_id, generation)
        if error or member is None:
            return error, b""
        if self.state == "Stable":
            return NONE, member.assignment
        if member_id == self.leader:
            self.state = "Stable"
            for name, one in self.members.items():
                one.assignment = assignments.get(name, b"")
                if one.syncing is not None and not one.syncing.done():
                    one.syncing.set_result((NONE, one.assignment))
                one.syncing = None
            return NONE, member.assignment
        synced: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        member.syncing = synced
        return await synced

    def heartbeat(self, member_id: str, generation: int) -> int:
        """The error code that a heartbeat is answered with."""
        return self._check(member_id, generation)

    def leave(self, member_id: str) -> int:
        """A member goes; the others rebalance."""
        if self.members.pop(member_id, None) is None:
            return UNKNOWN_MEMBER_ID
        self._prepare(None)
        return NONE

    def commit(self, member_id: str, generation: int, offsets: dict[tuple[str, int], tuple[int, str]]) -> int:
        """Stores offsets; generation -1 is a commit from outside the group."""
        if generation >= 0:
            error = self._check(member_id, generation)
            if error not in (NONE, REBALANCE_IN_PROGRESS):
                return error
        self.offsets.update(offsets)
        return NONE

    def expire(self, now: float) -> None:
        """Puts members out that have not been heard of within their session."""
        late = [
            name
            for name, member in self.members.items()
            if member.joining is None
            and member.syncing is None
            and now - member.seen > member.session_seconds
        ]
        for name in late:
            self.leave(name)

    def close(self) -> None:
        """Lets go of everyone who waits."""
        if self._timer is not None:
            self._timer.cancel()
        for member in self.members.values():
            for waiting in (member.joining, member.syncing):
                if waiting is not None and not waiting.done():
                    waiting.cancel()

    def _check(self, member_id: str, generation: int) -> int:
        member = self.members.get(member_id)
        if member is None:
            return UNKNOWN_MEMBER_ID
        if generation != self.generation:
            return ILLEGAL_GENERATION
        member.seen = time.monotonic()
        return REBALANCE_IN_PROGRESS if self.state == "PreparingRebalance" else NONE

    def _prepare(self, gather_seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for member in self.members.values():
            if member.syncing is not None and not member.syncing.done():
                member.syncing.set_result((REBALANCE_IN_PROGRESS, b""))
            member.syncing = None
        if not self.members:
            self.state = "Empty"
            self.generation += 1
            return
        self.state = "PreparingRebalance"
        self._gathering = gather_seconds is not None
        wait = gather_seconds or max(member.rebalance_seconds for member in self.members.values())
        self._timer = asyncio.get_running_loop().call_later(wait, self._complete)
        self._complete_if_all_joined()

    def _complete_if_all_joined(self) -> None:
        if self.state == "PreparingRebalance" and not self._gathering:
            if all(member.joining is not None for member in self.members.values()):
                self._complete()

    def _complete(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.members = {name: member for name, member in self.members.items() if member.joining is not None}
        if not self.members:
            self.state = "Empty"
            return
        self.generation += 1
        self.state = "CompletingRebalance"
        self._gathering = False
        if self.leader not in self.members:
            self.leader = next(iter(self.members))
        common = set.intersection(*(set(member.protocols) for member in self.members.values()))
        self.protocol = next(name for name in self.members[self.leader].protocols if name in common)
        everyone = [(name, member.protocols[self.protocol]) for name, member in self.members.items()]
        for name, member in self.members.items():
            waiting, member.joining = member.joining, None
            member.seen = time.monotonic()
            seen = everyone if name == self.leader else []
            if waiting is not None and not waiting.done():
                waiting.set_result((NONE, self.generation, self.protocol, self.leader, name, seen))
