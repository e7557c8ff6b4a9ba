"""What must not be stored: rules that drop, hash, mask or rewrite attributes before a batch reaches the store.

Rules work on the columns of a decoded batch, so they hold for every encoding. Without a rule nothing is done.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import translate
from hashlib import blake2b
from typing import Any

import orjson
import pyarrow as pa

from headwater_analysis.errors import UsageError

from .receivers.attributes import MESSAGING
from .records import SpanBatch

SECRET = "HEADWATER_KEY_SECRET"
PLACES = ("spans", "events", "links", "resource")
ACTIONS = ("drop", "hash", "mask", "replace")
MASK = "***"

NEEDED = MESSAGING | {"service.name", "error.type", "exception.type", "messaging.kafka.cluster.id"}
"""Attributes that become columns: flows and lag cannot be told without them."""
OURS = "headwater."
"""Likewise what headwater's own instrumentation says; it hashes or leaves out what is delicate by itself."""

_SPAN_TEXTS = ("name", "status_message")
"""Columns of a span that hold free text: attributes like any other to the rules."""


@dataclass(frozen=True)
class Rule:
    """One rule; see `rules_of` for how it is written."""

    keys: re.Pattern[str]
    action: str
    on: tuple[str, ...] = PLACES
    pattern: re.Pattern[str] | None = None
    """What `replace` looks for in text."""
    put: str = MASK
    """What it puts there."""


@dataclass(frozen=True)
class Masking:
    """All rules, in the order in which they are applied."""

    rules: tuple[Rule, ...] = ()
    secret: bytes = b""

    def masked(self, batch: SpanBatch) -> SpanBatch:
        """The batch as it may be stored."""
        if not self.rules:
            return batch
        on = {place: tuple(rule for rule in self.rules if place in rule.on) for place in PLACES}
        spans = _attributes(batch.spans, self._text(on["spans"]))
        for column in _SPAN_TEXTS:
            spans = _column(spans, column, self._value(on["spans"], column))
        events = _attributes(batch.events, self._text(on["events"]))
        return replace(
            batch,
            spans=spans,
            events=_column(events, "name", self._value(on["events"], "name")),
            links=_attributes(batch.links, self._text(on["links"])),
            resources=_attributes(batch.resources, self._text(on["resource"])),
            scopes=_attributes(batch.scopes, self._text(on["resource"])),
            # Bytes that could not be read cannot be masked either.
            quarantined=[replace(item, raw=None) for item in batch.quarantined],
        )

    def _text(self, rules: Sequence[Rule]) -> Callable[[str], str] | None:
        """Rewrites the text of a JSON object; the same texts once."""
        if not rules:
            return None

        def rewrite(text: str) -> str:
            return orjson.dumps(self._object(rules, orjson.loads(text), "")).decode()

        return rewrite

    def _value(self, rules: Sequence[Rule], key: str) -> Callable[[str], str | None] | None:
        """Rewrites the text of a column as the attribute of that name."""
        mine = [rule for rule in rules if rule.keys.fullmatch(key)]
        return (lambda text: self._by_rules(mine, text)) if mine else None

    def _object(self, rules: Sequence[Rule], given: Mapping[str, Any], prefix: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in given.items():
            key = prefix + name
            if key in NEEDED or key.startswith(OURS):
                found[name] = value
                continue
            mine = [rule for rule in rules if rule.keys.fullmatch(key)]
            if mine:
                value = self._by_rules(mine, value)
                if value is None:
                    continue
            found[name] = self._object(rules, value, f"{key}.") if isinstance(value, dict) else value
        return found

    def _by_rules(self, rules: Sequence[Rule], value: Any) -> Any:
        """The value after each rule in turn; None where it is dropped."""
        for rule in rules:
            if rule.action == "drop":
                return None
            if rule.action == "mask":
                value = MASK
            elif rule.action == "hash":
                text = value.encode() if isinstance(value, str) else orjson.dumps(value)
                value = blake2b(text, digest_size=8, key=self.secret).hexdigest()
            else:
                value = _replaced(rule, value)
        return value


def _replaced(rule: Rule, value: Any) -> Any:
    assert rule.pattern is not None
    if isinstance(value, str):
        return rule.pattern.sub(rule.put, value)
    if isinstance(value, list):
        return [_replaced(rule, item) for item in value]
    if isinstance(value, dict):
        return {name: _replaced(rule, item) for name, item in value.items()}
    return value


def _attributes(table: pa.Table, rewrite: Callable[[str], str | None] | None) -> pa.Table:
    return _column(table, "attributes", rewrite)


def _column(table: pa.Table, name: str, rewrite: Callable[[str], str | None] | None) -> pa.Table:
    """The table with each distinct text of a column rewritten."""
    if rewrite is None or not table.num_rows:
        return table
    coded = table[name].combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    texts = [None if text is None else rewrite(text) for text in coded.dictionary.to_pylist()]
    if name == "name":
        texts = ["" if text is None else text for text in texts]
    column = pa.array(texts, table.schema.field(name).type).take(coded.indices)
    return table.set_column(table.column_names.index(name), table.schema.field(name), column)


def rules_of(table: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Masking:
    """The rules of the configuration's [masking] table; raises UsageError with the rule that is wrong.

    Each of `rules` has `keys` (one glob or several) and `action`: drop, hash (keyed with HEADWATER_KEY_SECRET),
    mask (puts ***), or replace (`pattern`, a regular expression, and `with`); `on` narrows it to some of spans,
    events, links and resource. The free texts `name` and `status_message` count as attributes.
    """
    if strange := sorted(set(table) - {"rules"}):
        raise UsageError(f"[masking] has no {strange[0]!r}; it takes rules, written as [[masking.rules]].")
    rules = table.get("rules") or []
    if not isinstance(rules, list) or not all(isinstance(rule, Mapping) for rule in rules):
        raise UsageError("rules in [masking] are no tables; write each as [[masking.rules]].")
    secret = environ.get(SECRET, "").encode()[:64]
    return Masking(tuple(_rule(number, rule, secret) for number, rule in enumerate(rules, 1)), secret)


def _rule(number: int, given: Mapping[str, Any], secret: bytes) -> Rule:
    def wrong(what: str) -> UsageError:
        return UsageError(f"Masking rule {number} {what}.")

    if strange := sorted(set(given) - {"keys", "action", "on", "pattern", "with"}):
        raise wrong(f"has {strange[0]!r}; a rule takes keys, action, on, pattern and with")
    action = given.get("action")
    if action not in ACTIONS:
        raise wrong(f"has the action {action!r}; it takes one of {', '.join(ACTIONS)}")
    keys = _texts(given.get("keys", "*" if action == "replace" else ()))
    if not keys:
        raise wrong('names no keys; give keys = "user.*" or a list of such globs')
    for key in keys:
        if key in NEEDED or key.startswith(OURS):
            raise wrong(f"masks {key}, by which headwater tells which message is which; leave that key out")
    on = _texts(given.get("on", PLACES))
    if not on or set(on) - set(PLACES):
        raise wrong(f"is on {', '.join(on) or 'nothing'}; it takes some of {', '.join(PLACES)}")
    pattern, put = given.get("pattern"), given.get("with", MASK)
    if (action == "replace") != (pattern is not None) or not isinstance(put, str):
        raise wrong("needs a pattern with the action replace, and only there, and a text in with")
    if action == "hash" and not secret:
        raise wrong(f"hashes, and the environment has no {SECRET}; set it to the same secret as the services")
    try:
        compiled = None if pattern is None else re.compile(str(pattern))
        if compiled is not None:
            compiled.sub(put, "")  # finds a group that `with` asks for in vain
    except (re.error, IndexError) as error:
        raise wrong(f"has a pattern or a text in with that is not usable: {error}") from error
    matching = re.compile("|".join(translate(key) for key in keys))
    return Rule(matching, str(action), tuple(on), compiled, put)


def _texts(given: Any) -> tuple[str, ...]:
    if isinstance(given, str):
        return (given,)
    return tuple(given) if isinstance(given, list | tuple) and all(isinstance(i, str) for i in given) else ()
