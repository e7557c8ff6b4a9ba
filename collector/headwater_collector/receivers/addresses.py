"""Where doors listen."""

from __future__ import annotations

import errno
import ipaddress
import socket

from headwater_analysis.errors import UsageError
from headwater_collector.errors import PortInUse


def split(address: str) -> tuple[str, int]:
    """(host, port) of HOST:PORT; IPv6 hosts in brackets."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"{address} is no HOST:PORT, such as 127.0.0.1:4318.")
    return host.removeprefix("[").removesuffix("]"), int(port)


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach an address."""
    host = split(address)[0]
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(address: str, option: str) -> socket.socket:
    """A bound socket; raises PortInUse, or UsageError for a host that is not this machine's."""
    host, port = split(address)
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise UsageError(f"{option}: the host {host} is not known: {error.strerror}.") from error
    found = socket.socket(family, kind, protocol)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(where)
        found.listen(2048)
        found.setblocking(False)
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(address, option) from error
        raise UsageError(f"{option}: cannot listen on {address}: {error.strerror}.") from error
    return found


def text_of(listening: socket.socket) -> str:
    """HOST:PORT of a bound socket."""
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def free_address(address: str) -> str:
    """The address itself, or with a port that is free now where it says port 0."""
    if split(address)[1]:
        return address
    listening = listen(address, "the address")
    try:
        return text_of(listening)
    finally:
        listening.close()
