"""Headers of ours never make a message too large: the dispensable ones are left out first."""

from collections.abc import Mapping
from typing import Any

from . import context as ctx
from . import headers as hdr
from . import schemas
from .guard import guard
from .sending import Send

ORDER = (ctx.NAME, "baggage", "tracestate", hdr.TRACEPARENT)
OF_A_HEADER = 10
"""Bytes that a header takes besides its name and value, at most."""
OF_A_MESSAGE = 100
"""The same of a message."""
SMALL = 65_536
"""A limit below it may be reached by headers alone."""


class Sizing:
    """The sends of one client that are on their way to where it looks at their size."""

    def __init__(self) -> None:
        self.sends: dict[int, tuple[Send, int]] = {}
        """With their limits, by the identity of their headers."""

    def expect(self, send: Send, limit: int) -> Send:
        """The client is about to be given a send, and takes so many bytes."""
        send.watched = True
        self.sends[id(send.headers)] = send, limit
        return send

    def done(self, send: Send) -> None:
        """The client has it, or has refused it."""
        self.sends.pop(id(send.headers), None)

    def fits(self, headers: Any, size: int) -> bool:
        """Whether there is nothing to be done about a message: not ours, or small enough and its schema known."""
        found = self.sends.get(id(headers))
        return found is None or (found[0].told_schema and size <= found[1])

    def look(self, key: Any, value: Any, headers: Any, size: int) -> bool:
        """The client has serialized a message: whether its headers were made fewer."""
        found = self.sends.get(id(headers))
        if found is None:
            return False
        send, limit = found
        if not send.told_schema:
            told = schemas.said(value, None)
            if told:
                send.span.set_attributes(told)
        return size > limit and shrink(send, size - limit)

    def kafka_python(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """KafkaProducer._estimate_size_in_bytes(key, value, headers): asked once for each message."""
        size = wrapped(*args, **kwargs)
        if len(args) == 3 and not self.fits(args[2], size) and guard.run("size", self.look, *args, size):
            return wrapped(*args, **kwargs)
        return size


def shrink(send: Send, too_much: int) -> bool:
    """Takes headers of ours out of a send until so many bytes are saved; whether there were any."""
    before = len(send.headers)
    for name in ORDER:
        if too_much <= 0:
            break
        for pair in [pair for pair in send.headers if pair[0] == name and name in send.ours]:
            send.headers.remove(pair)
            too_much -= len(name) + len(pair[1])
    return len(send.headers) < before


def small(value: Any, limit: int) -> bool:
    """Whether a value is bytes by now, or nothing, and so far from the limit that headers do not matter."""
    return limit > SMALL and (value is None or (type(value) is bytes and len(value) * 2 < limit))


def fit(send: Send, key: Any, value: Any, limit: int) -> None:
    """The same where the value is known beforehand; the client's own reckoning is not asked for."""
    length = len(value) if isinstance(value, bytes | str) else 0
    if length * 2 < limit and limit > SMALL:
        return
    size = OF_A_MESSAGE + length + (len(key) if isinstance(key, bytes | str) else 0)
    size += sum(OF_A_HEADER + len(name) + len(given or b"") for name, given in send.headers)
    if size > limit:
        shrink(send, size - limit)


class Builder:
    """In the place of the class that aiokafka's producer asks for a record's size."""

    def __init__(self, original: Any, sizing: Sizing) -> None:
        self._original = original
        self._estimate = original.estimate_size_in_bytes
        self._sizing = sizing

    def estimate_size_in_bytes(self, key: Any, value: Any, headers: Any) -> Any:
        """Asked once for each message, when it is serialized."""
        size = self._estimate(key, value, headers)
        if not self._sizing.sends or self._sizing.fits(headers, size):
            return size
        if guard.run("size", self._sizing.look, key, value, headers, size):
            return self._estimate(key, value, headers)
        return size

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


def limit_of(settings: Mapping[str, Any]) -> int:
    """message.max.bytes of confluent-kafka."""
    return int(settings.get("message.max.bytes", 1_000_000))
