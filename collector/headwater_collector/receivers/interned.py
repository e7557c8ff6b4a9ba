"""Resources and scopes: the same for many spans, so stored once and named by an id made of their content."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from .attributes import Attributes, as_text

UNKNOWN_SERVICE = "unknown_service"


@dataclass(frozen=True)
class Resource:
    """What sent a span."""

    id: int
    service: str
    text: bytes
    """Attributes as JSON, keys in order"""
    schema_url: str


@dataclass(frozen=True)
class Scope:
    """What in it made the span."""

    id: int
    name: str
    version: str
    text: bytes
    """Attributes as JSON, keys in order"""


def content_id(*parts: bytes) -> int:
    """64 bits that are the same for the same content, in every process."""
    hashed = blake2b(digest_size=8)
    for part in parts:
        hashed.update(len(part).to_bytes(4, "big"))
        hashed.update(part)
    return int.from_bytes(hashed.digest(), "big")


def resource_of(attributes: Attributes, schema_url: str) -> Resource:
    """A resource with these attributes."""
    text = as_text(dict(sorted(attributes.items())))
    service = attributes.get("service.name")
    service = str(service) if service not in (None, "") else UNKNOWN_SERVICE
    return Resource(content_id(text, schema_url.encode()), service, text, schema_url)


def scope_of(name: str, version: str, attributes: Attributes) -> Scope:
    """An instrumentation scope."""
    text = as_text(dict(sorted(attributes.items())))
    return Scope(content_id(name.encode(), version.encode(), text), name, version, text)
