"""What is known of a client without asking anybody."""

from typing import Any

from . import attributes as names


def base(client: Any, name: str, kind: str | None = None) -> dict[str, Any]:
    """Attributes that all spans of one operation of an aiokafka client share; ``kind`` is the operation's type."""
    values = described(name, kind, *settings(client))
    add_cluster_id(values, client)
    return values


def settings(client: Any) -> tuple[Any, Any]:
    """Client id and servers of an aiokafka client."""
    return getattr(client, "_client_id", None), getattr(client, "_bootstrap_servers", None)


def described(name: str, kind: str | None, client_id: Any, servers: Any) -> dict[str, Any]:
    """The same from a client's settings; ``servers`` is text or a list."""
    values: dict[str, Any] = {names.SYSTEM: names.KAFKA, names.OPERATION_NAME: name}
    if kind is not None:
        values[names.OPERATION_TYPE] = kind
    if client_id:
        values[names.CLIENT_ID] = str(client_id)
    host, port = first_server(servers)
    if host:
        values[names.SERVER_ADDRESS] = host
        values[names.SERVER_PORT] = port
    return values


def add_isolation(values: dict[str, Any], isolation: Any) -> None:
    """Adds that a consumer reads only what transactions committed; the other way is the rule."""
    if isolation == names.READ_COMMITTED:
        values[names.ISOLATION] = isolation


def first_server(servers: Any) -> tuple[str, int]:
    """Host and port of the first bootstrap server, from text or a list; brackets of IPv6 taken off."""
    first = servers.split(",")[0] if isinstance(servers, str) else str(next(iter(servers or ()), ""))
    first = first.strip()
    if first.startswith("["):
        host, _, rest = first[1:].partition("]")
        port = rest.removeprefix(":")
    elif first.count(":") > 1:
        host, port = first, ""
    else:
        host, _, port = first.partition(":")
    return host, int(port) if port.isdigit() else 9092


def add_cluster_id(values: dict[str, Any], client: Any) -> None:
    """Adds the cluster's id once the client has been told it.

    ``client`` is one of aiokafka, or a producer, consumer or client of kafka-python.
    """
    cluster = getattr(client, "_metadata", None) or getattr(
        getattr(client, "_client", client), "cluster", None
    )
    found = getattr(cluster, "_headwater_cluster_id", None) or getattr(cluster, "cluster_id", None)
    if found:
        values[names.CLUSTER_ID] = str(found)
