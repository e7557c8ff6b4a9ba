"""What confluent-kafka's producer and consumer have in common: settings, places, errors."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from . import attributes as names
from .records import Place

ASKED_AT_MOST = 20
"""Times that a client is asked for the cluster's id, which it tells without a request once it knows it."""
GROUPS_AT_MOST = 64
"""Group metadata objects whose group is remembered; they do not say it themselves."""


def configuration(args: Any, kwargs: Any) -> dict[str, Any]:
    """The settings that a client was made with."""
    given = args[0] if args and isinstance(args[0], Mapping) else {}
    return {**given, **kwargs}


def make(wrapped: Any, args: Any, kwargs: Any) -> Any:
    """Calls a client's constructor; it takes even no keywords, given as such, for settings."""
    return wrapped(*args, **kwargs) if kwargs else wrapped(*args)


def learn_cluster_id(client: Any, base: dict[str, Any], asked: int) -> None:
    """Adds the cluster's id if the client knows it by now; with no time to wait librdkafka makes no request.

    Only where a poll or flush of the caller has just returned: inside of a callback of the client the call would take
    away the state that its next callback needs, and the process would be aborted.
    """
    if names.CLUSTER_ID in base or asked > ASKED_AT_MOST or not hasattr(client, "cluster_id"):
        return
    try:
        found = client.cluster_id(0)
    except Exception:
        # Not known yet is said as an error, and is none.
        return
    if found:
        base[names.CLUSTER_ID] = str(found)


def servers(settings: Mapping[str, Any]) -> Any:
    """The bootstrap servers, by either of their names."""
    return settings.get("bootstrap.servers") or settings.get("metadata.broker.list")


def by_partition(places: Any) -> dict[Any, int]:
    """Offsets by partition, from the client's list; without those that say none."""
    return {Place(place.topic, place.partition): place.offset for place in places if place.offset >= 0}


def is_fatal(error: BaseException) -> bool:
    """Whether a client cannot go on after an error."""
    cause = error.args[0] if error.args else None
    return bool(getattr(cause, "fatal", bool)())


class Reported(Exception):
    """An error that the client reports as a value, to be recorded like one that is raised."""

    def __str__(self) -> str:
        return str(self.args[0])


class Groups:
    """Which group a metadata object is of."""

    def __init__(self) -> None:
        self._found: OrderedDict[int, str] = OrderedDict()

    def put(self, metadata: Any, group: str) -> None:
        """Notes it."""
        self._found[id(metadata)] = group
        self._found.move_to_end(id(metadata))
        while len(self._found) > GROUPS_AT_MOST:
            self._found.popitem(last=False)

    def get(self, metadata: Any) -> str:
        """The group, or empty text."""
        return self._found.get(id(metadata), "")


groups = Groups()
