"""What can go wrong, and the exit code each leaves.

HeadwaterError (1: the answer is bad)
├── UsageError (2: asked wrongly)
├── Unavailable (3: something needed is missing or unreachable)
├── QueryRefused (2: the statement may not run, or cannot be read)
├── QueryFailed (the statement ran and failed, or took too long)
└── Cancelled (the asker went away; not a failure)

The text of each is one sentence that names the thing and the way out.
"""


class HeadwaterError(Exception):
    """Base of every error that a user is meant to read."""

    exit_code = 1


class UsageError(HeadwaterError):
    """The command, an option or a value is wrong."""

    exit_code = 2


class Unavailable(HeadwaterError):
    """A collector, file, port or package that is needed is not there."""

    exit_code = 3


class QueryRefused(HeadwaterError):
    """The statement is not one SELECT over public relations."""

    exit_code = 2


class QueryFailed(HeadwaterError):
    """The statement is allowed but failed."""


class Cancelled(HeadwaterError):
    """Whoever asked no longer wants the answer."""
