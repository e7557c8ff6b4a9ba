"""What is known of one producer: the attributes of its sends, and whether its broker takes headers."""

from typing import Any

from . import attributes as names
from . import clients

UNKNOWN_SERVER_ERROR = -1
"""What old brokers answer to headers that they cannot store."""


class Sender:
    """One producer of any client."""

    inject = True
    """Headers are written."""
    proven = False
    """The broker has taken a message with headers."""

    def __init__(self, client_id: Any, servers: Any) -> None:
        self._settings = (client_id, servers)
        self.base = clients.described("send", "send", client_id, servers)
        """Attributes of every send."""

    def values(self, name: str, kind: str | None = None) -> dict[str, Any]:
        """Attributes of another operation of the same client."""
        values = clients.described(name, kind, *self._settings)
        if names.CLUSTER_ID in self.base:
            values[names.CLUSTER_ID] = self.base[names.CLUSTER_ID]
        return values

    def refused(self, code: int | None) -> None:
        """A send has failed with an error code of the broker's, None where it is no error of a broker."""
        if code == UNKNOWN_SERVER_ERROR and not self.proven:
            self.inject = False
