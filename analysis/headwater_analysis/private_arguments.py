"""Keeps a token out of the list of processes: arguments can be read by every user of a machine."""

import os
import sys
from collections.abc import Sequence

FLAG = "--token"
VARIABLE = "HEADWATER_TOKEN"


def split_token(words: Sequence[str]) -> tuple[list[str], str | None]:
    """The words without --token and its value, and that value; None where it is not given, or has no value."""
    rest: list[str] = []
    token: str | None = None
    at = 0
    while at < len(words) and words[at] != "--":
        word = words[at]
        if word.startswith(f"{FLAG}="):
            token = word[len(FLAG) + 1 :]
        elif word == FLAG and at + 1 < len(words):
            at += 1
            token = words[at]
        else:
            rest.append(word)
        at += 1
    return [*rest, *words[at:]], token


def hide_token(words: Sequence[str]) -> None:
    """Start this process again with the token in its environment, where it stands among the arguments.

    The environment is readable by the same user only. Does nothing without a token.
    """
    rest, token = split_token(words)
    before = len(sys.orig_argv) - len(words)
    if token is None or os.name != "posix" or sys.orig_argv[before:] != list(words):
        return
    sys.stdout.flush()
    arguments = [*sys.orig_argv[:before], *rest]
    os.execve(sys.executable, arguments, {**os.environ, VARIABLE: token})
