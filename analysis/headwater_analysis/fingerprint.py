"""Which dead letters have one cause: a hash over where they come from and what went wrong."""

import hashlib
import re

_VARIABLE = re.compile(
    r"""
      [0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}      # a UUID
    | "[^"]*"                                                    # quoted strings
    | (?<!\w)'[^']*'(?!\w)
    | `[^`]*`
    | \b[a-z][a-z0-9+.-]*://\S+                                  # a URL
    | [\w.+-]+@[\w-]+(?:\.[\w-]+)+                               # a mail address
    | @?\b0[xX][0-9a-fA-F]+                                      # an address in memory
    | @[0-9a-f]{4,16}\b                                          # a Java identity hash
    | \b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?                         # host and port
    | \b(?:[\w-]+\.)*[\w-]+:\d{2,5}\b
    | \b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}\b                      # other hex
    | [-+]?\d+(?:[.,:]\d+)*                                      # numbers, times
    """,
    re.VERBOSE,
)
_RUNS = re.compile(r"#(?:[\s,;:/.-]*#)+")
_SPACE = re.compile(r"\s+")
_MOST_CHARACTERS = 2000
_FRAMES = (
    re.compile(r"^\s*at (?P<frame>[\w$.<>/]+)\(", re.MULTILINE),  # Java: the first is the innermost
    re.compile(r'^\s*File "(?P<frame>[^"]+)", line \d+, in (?P<name>\S+)', re.MULTILINE),  # Python: the last
)


def normalise_message(message: str) -> str:
    """The message with digits, hex, UUIDs, quoted strings and addresses replaced by ``#``."""
    replaced = _VARIABLE.sub("#", message[:_MOST_CHARACTERS])
    return _SPACE.sub(" ", _RUNS.sub("#", replaced)).strip()


def top_frame(stack: str) -> str | None:
    """The frame in which it went wrong, without its line number."""
    java, python = _FRAMES
    found = java.search(stack)
    if found is not None:
        return found["frame"]
    frames = list(python.finditer(stack))
    return f"{frames[-1]['frame'].rsplit('/', 1)[-1]} {frames[-1]['name']}" if frames else None


def normalised_error(message: str | None, stack: str | None) -> str | None:
    """What dead letters of one cause share: the normalised message, else the top stack frame."""
    if message:
        return normalise_message(message)
    return top_frame(stack) if stack else None


def failure_group_id(
    origin_topic: str | None, consumer_group: str | None, error_type: str | None, error: str | None
) -> str:
    """16 hex digits; the same for the same cause in every process and on every day."""
    parts = "\x1f".join(part or "" for part in (origin_topic, consumer_group, error_type, error))
    return hashlib.blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
