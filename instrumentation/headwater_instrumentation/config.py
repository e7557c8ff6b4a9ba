"""Switches, from the environment (HEADWATER_KAFKA_…) or given to ``instrument(config=…)``."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields

from .guard import logger

PREFIX = "HEADWATER_KAFKA_"
SECRET = "HEADWATER_KEY_SECRET"
"""Environment variable with the key of key hashes."""


@dataclass(frozen=True)
class Config:
    """How much is recorded."""

    process_span: str = "auto"
    """auto: a span around the handler's body; explicit: only with ``process()``; off."""
    process_parent: str = "message"
    """message: the sender's span is the parent, where no foreign span is current; ambient: never."""
    receive_span: str = "batch"
    """batch: a poll span for calls that fetch several; always: for those that fetch one too; off."""
    ctx_header: str = "on"
    """on: messages carry ``headwater-ctx``; off: only what the propagator writes."""
    links_max: int = 120
    """Links of a batch span; the SDK keeps 128."""
    errors: str = "class"
    """class: the exception's class only; message: its text too; stack: both and the stack."""
    capture_key: str = "none"
    """none; hash: eight bytes of BLAKE2b keyed with HEADWATER_KEY_SECRET; raw: the key, where it is text."""
    metrics: str = "on"
    """on: counters, sketches and the conventions' histograms; counters: all but the histograms; off."""
    topics_exclude: tuple[str, ...] = ()
    """Topics that are left alone."""
    event_id_headers: tuple[str, ...] = ("ce_id", "message-id", "message_id")
    """Headers in which the service names its events itself, the preferred one first."""
    semconv: str = "1.44"
    """Version of the semantic conventions that the names follow; there is one so far."""
    take_over: str = "1"
    """1: OpenTelemetry's own instrumentation of the same client is put out of action; 0: both record."""

    @classmethod
    def read(
        cls, given: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None
    ) -> "Config":
        """What was given, else the environment, else the defaults; a value that is not known is said and ignored."""
        environ = os.environ if environ is None else environ
        values: dict[str, object] = {}
        for field in fields(cls):
            raw = (given or {}).get(field.name, environ.get(PREFIX + field.name.upper()))
            if raw in (None, ""):
                continue
            value = _understood(field.name, raw)
            if value is None:
                logger.warning("%s%s=%r is not known and is ignored.", PREFIX, field.name.upper(), raw)
            else:
                values[field.name] = value
        if values.get("capture_key") == "hash" and not environ.get(SECRET):
            logger.warning(
                "%sCAPTURE_KEY=hash needs %s, the same in every service; no key is captured.", PREFIX, SECRET
            )
            del values["capture_key"]
        return cls(**values)  # type: ignore[arg-type]


_CHOICES = {
    "process_span": ("auto", "explicit", "off"),
    "process_parent": ("message", "ambient"),
    "receive_span": ("batch", "always", "off"),
    "ctx_header": ("on", "off"),
    "metrics": ("on", "counters", "off"),
    "errors": ("class", "message", "stack"),
    "capture_key": ("none", "hash", "raw"),
    "semconv": ("1.44",),
    "take_over": ("1", "0"),
}


def _understood(name: str, raw: object) -> object | None:
    if name == "links_max":
        return int(str(raw)) if str(raw).isdigit() else None
    if name in ("topics_exclude", "event_id_headers"):
        return tuple(part.strip() for part in raw.split(",")) if isinstance(raw, str) else tuple(raw)  # type: ignore[arg-type]
    return raw if raw in _CHOICES[name] else None
