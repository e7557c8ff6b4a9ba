"""A message's key on spans: not at all, as a hash, or as it is; only where the service asks for it."""

import functools
import hashlib
import os
from typing import Any

from . import attributes as names
from .config import SECRET, Config

LONGEST = 1024
"""Characters of a key that are recorded."""


def described(key: Any, config: Config) -> dict[str, Any]:
    """The attribute that says the key; nothing of a key that is neither bytes nor text, or is not to be recorded."""
    if config.capture_key == "none" or key is None:
        return {}
    raw = key.encode("utf-8", "replace") if isinstance(key, str) else key
    if not isinstance(raw, bytes | bytearray | memoryview):
        return {}
    if config.capture_key == "hash":
        digest = hashlib.blake2b(bytes(raw), digest_size=8, key=_secret(os.environ.get(SECRET, "")))
        return {names.KEY_HASH: digest.hexdigest()}
    try:
        return {names.KEY: bytes(raw).decode("utf-8")[:LONGEST]}
    except UnicodeDecodeError:
        # No canonical text: the conventions leave it out.
        return {}


@functools.cache
def _secret(text: str) -> bytes:
    raw = text.encode("utf-8")
    # BLAKE2b takes keys of at most 64 bytes.
    return raw if len(raw) <= 64 else hashlib.blake2b(raw).digest()
