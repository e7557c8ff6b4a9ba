"""What somebody supposes: ``wait topic=orders group=payments x0``, ``work service=checkout operation=charge x0.5``.

A line holds one supposition or several with ``;`` between them. Each names a kind of segment, the segments of that
kind that are meant (all, where nothing is named; ``*`` stands for any text), and a factor for their length.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from headwater_analysis.errors import UsageError

from .segments import Step

_KEYS = {"service": "service", "operation": "operation", "topic": "topic", "group": "consumer_group"}
_WAITED = ("topic", "group")
KEYS_OF = {
    "work": ("service", "operation"),
    "send": ("service", "operation", "topic"),
    "wait": _WAITED,
    "local_wait": _WAITED,
    "txn_wait": _WAITED,
    "backoff": _WAITED,
}
"""What each kind can be narrowed by. A wait holds its local part; a gap is not known well enough to be changed."""

_WORD = re.compile(r'\s*(?:(?P<end>;)|(?P<word>(?:"[^"]*"|[^\s;"])+)|(?P<quote>"))')
_FACTOR = re.compile(r"[x×](\d+(?:\.\d+)?|\.\d+)$")
LARGEST = 1000.0
"""A factor beyond it is a slip of the finger."""


class WhatIfError(UsageError):
    """The line cannot be read; ``position`` is where, counted in characters from 0."""

    def __init__(self, sentence: str, text: str, position: int) -> None:
        super().__init__(f"{sentence}\n  {text}\n  {' ' * position}^")
        self.position = position


@dataclass(frozen=True)
class Factor:
    """One supposition: segments of a kind take `factor` times as long."""

    kind: str
    factor: float
    service: str | None = None
    operation: str | None = None
    topic: str | None = None
    consumer_group: str | None = None

    def matches(self, step: Step) -> bool:
        """Whether a segment of that step is meant."""
        return step.kind == self.kind and all(
            wanted is None or (value is not None and fnmatchcase(value, wanted))
            for wanted, value in (
                (self.service, step.service),
                (self.operation, step.operation),
                (self.topic, step.topic),
                (self.consumer_group, step.consumer_group),
            )
        )


def factor_of(factors: Iterable[Factor], step: Step) -> float:
    """The product of all factors that mean a step; 1 where none does."""
    product = 1.0
    for one in factors:
        if one.matches(step):
            product *= one.factor
    return product


def parse(text: str) -> tuple[Factor, ...]:
    """The suppositions of a line; raises WhatIfError with the place of what cannot be read."""
    words: list[tuple[str, int]] = []
    found: list[Factor] = []
    position = 0
    while position < len(text.rstrip()):
        match = _WORD.match(text, position)
        if match is None or match["quote"]:
            raise WhatIfError("A quotation mark is not closed.", text, text.index('"', position))
        if match["end"]:
            if words:
                found.append(_factor(words, text, match.start("end")))
            words = []
        else:
            words.append((match["word"], match.start("word")))
        position = match.end()
    if words:
        found.append(_factor(words, text, len(text.rstrip())))
    if not found:
        raise WhatIfError(f"Nothing is supposed; write for example {EXAMPLE}.", text, 0)
    return tuple(found)


EXAMPLE = "wait topic=orders group=payments x0"


def _factor(words: list[tuple[str, int]], text: str, end: int) -> Factor:
    kind, place = words[0]
    kind = kind.replace("-", "_")
    if kind not in KEYS_OF:
        raise WhatIfError(f"{words[0][0]!r} is no kind; there are {', '.join(KEYS_OF)}.", text, place)
    named: dict[str, str] = {}
    times: float | None = None
    for word, place in words[1:]:
        if times is not None:
            raise WhatIfError("The factor comes last; put ; before another supposition.", text, place)
        times = _times(word, text, place)
        if times is None:
            key, value = _named(kind, word, text, place)
            if key in named:
                raise WhatIfError(f"{word.partition('=')[0]} is named twice.", text, place)
            named[key] = value
    if times is None:
        raise WhatIfError("The factor is missing, such as x0.5 for half or x0 for none.", text, end)
    return Factor(kind, times, **named)


def _times(word: str, text: str, place: int) -> float | None:
    found = _FACTOR.match(word)
    if found is None:
        if word[:1] in "x×" and "=" not in word:
            raise WhatIfError(f"{word!r} is no factor; write for example x0, x0.5 or x2.", text, place)
        return None
    times = float(found[1])
    if times > LARGEST:
        raise WhatIfError(f"A factor is at most {LARGEST:g}.", text, place)
    return times


def _named(kind: str, word: str, text: str, place: int) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    keys = KEYS_OF[kind]
    value = value.replace('"', "")
    if not equals:
        raise WhatIfError(f"{word!r} is no name=value and no factor such as x0.5.", text, place)
    if name not in keys:
        raise WhatIfError(f"{kind} has no {name!r}; it has {' and '.join(keys)}.", text, place)
    if not value:
        raise WhatIfError(f"{name}= names nothing.", text, place + len(name) + 1)
    return _KEYS[name], value
