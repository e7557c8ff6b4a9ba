"""Who may: every door and the API ask here, with the header that a request brought."""

from __future__ import annotations

import logging
from hmac import compare_digest

from .errors import NotAllowed, TokensBroken, WrongRole
from .tokens import ROLES, Role, Token, TokenFile, hash_of

_GRANTS: dict[Role, tuple[Role, ...]] = {
    "ingest": ("ingest",),
    "viewer": ("viewer",),
    "operator": ("viewer", "operator"),
}
"""What each role opens: services send and do not read, people read and do not send."""

_log = logging.getLogger(__name__)


class Access:
    """Tokens of the token file, read again when it changes, and the one of --token, which opens everything.

    Where neither has ever been there, nobody is asked. Once there was one, access stays closed to strangers
    until the collector is started again, even if the last token is revoked or the file removed.
    """

    def __init__(self, token: str | None = None, file: TokenFile | None = None) -> None:
        """Construct without I/O."""
        self._own = None if token is None else hash_of(token.encode())
        self._file = file
        self._tokens: tuple[Token, ...] = ()
        self._stamp: tuple[int, int, int] | None = None
        self.required = self._own is not None
        """Whether a token is asked for."""

    def open(self) -> None:
        """Read the file for the first time; raises TokensBroken."""
        if self._file is not None:
            stamp = self._file.stamp()
            self._tokens, self._stamp = self._file.read(), stamp
            self.required = self.required or stamp is not None

    def check(self, authorization: bytes | None, role: Role) -> None:
        """Raises NotAllowed without a token that is known, WrongRole for one that is good for something else."""
        self._follow()
        if not self.required:
            return
        scheme, _, given = (authorization or b"").partition(b" ")
        hashed = hash_of(given.strip())
        # All of them are compared, whichever fits: the time taken says nothing.
        granted: set[Role] = set()
        if self._own is not None and compare_digest(hashed, self._own):
            granted.update(ROLES)
        for token in self._tokens:
            if compare_digest(hashed, token.hash):
                granted.update(_GRANTS[token.role])
        if scheme.lower() != b"bearer" or not granted:
            raise NotAllowed('A token is needed: send the header "Authorization: Bearer TOKEN".')
        if role not in granted:
            raise WrongRole(
                f"This token may not do that: one with the role {role} is needed, from "
                f"`headwater token create --role {role}`."
            )

    def _follow(self) -> None:
        """The file's new content, where it has changed; what was read last, while it cannot be read."""
        if self._file is None:
            return
        try:
            stamp = self._file.stamp()
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self._tokens = self._file.read()
            self.required = self.required or stamp is not None
        except TokensBroken as error:
            _log.warning("%s The tokens read before still hold.", error)
