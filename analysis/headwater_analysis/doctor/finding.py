"""What the doctor says: one finding, with its evidence and the line that mends it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

PROBLEM, HINT = "problem", "hint"
SHARE = 0.05
"""From which share of messages or spans on something is a finding; below are stragglers: sends cut off by a
service's end, what a person sent by hand."""

INSTALL = "instrumentation/README.md, Install"
TROUBLE = "instrumentation/README.md, Troubleshooting"
SWITCHES = "instrumentation/README.md, Switches"
USE = "README.md, Use it on your services"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or could be better."""

    rule: str
    """Name of the rule that found it; stable, for scripts."""
    severity: str
    """problem: messages cannot be followed or questions have wrong answers; hint: something is missing."""
    who: str
    """The service, group or topic."""
    what: str
    """What is wrong, in a few words."""
    evidence: str
    """One sentence with the numbers."""
    count: int
    """Messages or spans that show it."""
    example: str | None
    """One of them, as ``topic@partition:offset`` or a trace id, for ``headwater flow``; None where there is none."""
    mend: tuple[str, ...]
    """Lines to copy, of a shell, of Python or of a configuration."""
    docs: str
    """Where to read on."""


def share_of(part: int, whole: int) -> bool:
    """Whether a part is large enough to be a finding."""
    return part > 0 and part >= SHARE * whole


def many(number: int, word: str) -> str:
    """``1 message``, ``1,204 messages``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def server(address: str | None, port: int | None) -> str | None:
    """HOST:PORT of what a span says of its broker; some instrumentations write the list of all into the address."""
    first = re.match(r'^[\["\s]*([A-Za-z0-9._-]+)(?::(\d+))?', address or "")
    return f"{first[1]}:{port or first[2] or 9092}" if first else None


def names(found: Sequence[str], most: int = 4) -> str:
    """A few names of many: ``a, b and 3 more``."""
    if len(found) <= most:
        return " and ".join(filter(None, (", ".join(found[:-1]), *found[-1:])))
    return f"{', '.join(found[:most])} and {len(found) - most} more"
