"""The token file: who may do what with a collector. It holds hashes only, so reading it opens no door.

A token is 256 random bits, which no dictionary reaches: one round of SHA-256 is enough, and cheap enough
to be done for every request.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal, get_args

from headwater_analysis.errors import UsageError

from .errors import TokensBroken

Role = Literal["ingest", "viewer", "operator"]
ROLES: tuple[Role, ...] = get_args(Role)
FILE_NAME = "tokens.json"


@dataclass(frozen=True)
class Token:
    """What is kept of a token."""

    id: str
    """To name it by, when it is revoked."""
    role: Role
    name: str
    """Whose it is, in the words of whoever made it."""
    created_at: str
    """ISO 8601, UTC"""
    hash: str
    """SHA-256 of its text, in hex."""


def hash_of(token: bytes) -> str:
    """What the file keeps of a token's text."""
    return sha256(token).hexdigest()


class TokenFile:
    """The file in a data directory. Construct without I/O."""

    def __init__(self, data: Path) -> None:
        self.path = data / FILE_NAME

    def stamp(self) -> tuple[int, int, int] | None:
        """Changes when the file does; None while there is none."""
        try:
            state = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TokensBroken(f"The token file {self.path} cannot be read: {error.strerror}.") from None
        return state.st_ino, state.st_mtime_ns, state.st_ctime_ns

    def read(self) -> tuple[Token, ...]:
        """All tokens; none where there is no file. Raises TokensBroken."""
        try:
            with open(self.path, "rb") as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise TokensBroken(
                        f"The token file {self.path} can be read by others than its owner; "
                        f"set it right with `chmod 600 {self.path}`."
                    )
                document = json.load(file)
            tokens = tuple(Token(**entry) for entry in document["tokens"])
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise TokensBroken(f"The token file {self.path} cannot be read: {error.strerror}.") from None
        except (ValueError, TypeError, KeyError):
            raise TokensBroken(self._damaged()) from None
        if any(token.role not in ROLES or not isinstance(token.hash, str) for token in tokens):
            raise TokensBroken(self._damaged())
        return tokens

    def _damaged(self) -> str:
        return (
            f"The token file {self.path} is damaged; put it back from a copy, or remove it and create "
            "the tokens again."
        )

    def create(self, role: Role, name: str = "") -> tuple[Token, str]:
        """A new token, and its text, which nobody can find out afterwards. Raises TokensBroken."""
        text = f"hw_{role}_{secrets.token_urlsafe(32)}"
        now = datetime.now(UTC).isoformat(timespec="seconds")
        token = Token(secrets.token_hex(4), role, name, now, hash_of(text.encode()))
        self._change(lambda tokens: (*tokens, token))
        return token, text

    def revoke(self, token_id: str) -> Token:
        """Takes a token out; raises UsageError where none has this id."""
        gone: list[Token] = []

        def without(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
            gone.extend(token for token in tokens if token.id == token_id)
            if not gone:
                known = ", ".join(token.id for token in tokens) or "none at all"
                raise UsageError(f"There is no token {token_id!r} in {self.path}; there is {known}.")
            return tuple(token for token in tokens if token.id != token_id)

        self._change(without)
        return gone[0]

    def _change(self, change: Callable[[tuple[Token, ...]], tuple[Token, ...]]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._alone():
                tokens = change(self.read())
                text = json.dumps({"tokens": [asdict(token) for token in tokens]}, indent=2) + "\n"
                temporary = self.path.with_name(f".{FILE_NAME}.{os.getpid()}")
                temporary.unlink(missing_ok=True)
                fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with open(fd, "w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(fd)
                temporary.replace(self.path)
        except OSError as error:
            raise TokensBroken(f"The token file {self.path} cannot be written: {error.strerror}.") from None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two commands at once must not lose each other's token; the directory itself is the lock."""
        fd = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)
