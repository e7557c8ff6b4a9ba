"""`headwater token`: makes, lists and revokes the tokens of a data directory, running collector or not."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from headwater_analysis.commands.printing import empty, print_json, print_table
from headwater_analysis.errors import UsageError
from headwater_analysis.settings import JSON, Command, Option, Positional, Settings, note, out, read

from .data_directory import DATA
from .tokens import ROLES, Token, TokenFile

ACTIONS = ("create", "list", "revoke")

TOKEN_COMMAND = Command(
    "token",
    "Makes, lists and revokes tokens; a running collector notices at once. From the first one on, its doors ask "
    "for a token with the role ingest, its API for viewer (questions) or operator (questions and actions).",
    (
        "headwater token create --role ingest --name payments",
        "headwater token list --json",
        "headwater token revoke 1f2e3d4c",
    ),
    (Positional("action", "create, list or revoke"), Positional("id", "which to revoke", optional=True)),
    (
        Option("role", "What a new token is for.", None, "choice", ROLES),
        Option("name", "Whose a new token is; shown by list.", "", metavar="TEXT"),
        DATA,
        JSON,
    ),
)


def run(argv: list[str]) -> int:
    """`headwater token`"""
    settings = read(TOKEN_COMMAND, argv)
    file = TokenFile(settings.data)
    if settings.action not in ACTIONS:
        raise UsageError(f"`headwater token {settings.action}` is not known; there are {', '.join(ACTIONS)}.")
    if settings.action != "revoke" and settings.id is not None:
        raise UsageError(f"`headwater token {settings.action}` takes no {settings.id!r}.")
    {"create": _create, "list": _list, "revoke": _revoke}[settings.action](file, settings)
    return 0


def _create(file: TokenFile, settings: Settings) -> None:
    if settings.role is None:
        raise UsageError(f"Say what the token is for: --role {'|'.join(ROLES)}.")
    token, text = file.create(settings.role, settings.name)
    if settings.json:
        print_json({**_shown(token), "token": text})
        return
    out(f"{text}\n")
    note(f"Token {token.id} for {token.role}. It is shown this once; {file.path} keeps only its hash.")


def _list(file: TokenFile, settings: Settings) -> None:
    tokens = file.read()
    if settings.json:
        print_json([_shown(token) for token in tokens])
    elif tokens:
        rows = [(token.id, token.role, token.name, token.created_at) for token in tokens]
        print_table(("id", "role", "name", "created"), rows)
    else:
        empty(f"There are no tokens in {file.path}; `headwater token create --role viewer` makes one.")


def _revoke(file: TokenFile, settings: Settings) -> None:
    if settings.id is None:
        raise UsageError("Say which token: `headwater token revoke ID`; `headwater token list` names them.")
    token = file.revoke(settings.id)
    if settings.json:
        print_json(_shown(token))
    else:
        note(f"Token {token.id} for {token.role} is revoked.")


def _shown(token: Token) -> dict[str, Any]:
    return {key: value for key, value in asdict(token).items() if key != "hash"}
