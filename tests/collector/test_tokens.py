"""Tokens: who may do what, how they are kept, and that a running collector notices."""

from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api_helpers import headwater
from headwater_analysis.errors import UsageError
from headwater_analysis.private_arguments import split_token
from headwater_collector.access import Access
from headwater_collector.config import CollectorSettings
from headwater_collector.errors import NotAllowed, TokensBroken, WrongRole
from headwater_collector.token_command import run
from headwater_collector.tokens import ROLES, Role, TokenFile


def bearer(token: str) -> bytes:
    return f"Bearer {token}".encode()


def allowed(access: Access, token: str) -> set[str]:
    """The roles that a token opens."""
    found: set[str] = set()
    for role in ROLES:
        try:
            access.check(bearer(token), role)
        except WrongRole as error:
            assert error.http_status == 403
            assert f"--role {role}" in str(error)
        else:
            found.add(role)
    return found


@pytest.mark.parametrize(
    ("sentence", "role", "opens"),
    [
        ("a service sends and does not read", "ingest", {"ingest"}),
        ("a viewer reads and does not send", "viewer", {"viewer"}),
        ("an operator reads and acts", "operator", {"viewer", "operator"}),
    ],
)
def test_each_role_opens_its_own(tmp_path: Path, sentence: str, role: Role, opens: set[str]) -> None:
    file = TokenFile(tmp_path)
    _, text = file.create(role)
    access = Access("the one of --token", file)
    access.open()
    assert allowed(access, text) == opens, sentence
    assert allowed(access, "the one of --token") == set(ROLES)
    for wrong in (
        None,
        b"",
        b"Bearer",
        bearer("wrong"),
        text.encode(),
        b"Basic " + text.encode(),
        b"\xff\xfe",
    ):
        with pytest.raises(NotAllowed):
            access.check(wrong, role)
    access.check(b"bearer   " + text.encode() + b" ", next(iter(opens)))  # type: ignore[arg-type]


def test_the_file_holds_no_token_and_is_its_owners_alone(tmp_path: Path) -> None:
    data = tmp_path / "not" / "there"
    file = TokenFile(data)
    token, text = file.create("ingest", "payments")
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert text not in file.path.read_text()
    assert text.startswith("hw_ingest_")
    assert file.read() == (token,)
    assert [path.name for path in data.iterdir()] == ["tokens.json"]


def test_a_file_that_others_can_read_is_refused_with_the_way_out(tmp_path: Path) -> None:
    file = TokenFile(tmp_path)
    file.create("ingest")
    os.chmod(file.path, 0o640)
    with pytest.raises(TokensBroken, match="chmod 600"):
        Access(None, file).open()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"tokens": [{}]}', '{"tokens": [7]}', "\xff"])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    file = TokenFile(tmp_path)
    file.path.write_text(text, encoding="latin-1")
    file.path.chmod(0o600)
    with pytest.raises(TokensBroken, match="damaged"):
        file.read()


def test_changes_are_noticed_and_the_door_never_opens_by_itself(tmp_path: Path) -> None:
    file = TokenFile(tmp_path)
    access = Access(None, file)
    access.open()
    assert not access.required
    access.check(None, "ingest")
    token, text = file.create("ingest")
    access.check(bearer(text), "ingest")
    with pytest.raises(NotAllowed):
        access.check(None, "ingest")
    file.path.write_text("nonsense")  # what was read last holds
    access.check(bearer(text), "ingest")
    file.path.unlink()
    with pytest.raises(NotAllowed):
        access.check(bearer(text), "ingest")
    again, second = file.create("viewer")
    access.check(bearer(second), "viewer")
    assert file.revoke(again.id) == again
    with pytest.raises(NotAllowed):
        access.check(bearer(second), "viewer")
    assert access.required, "nobody may come in because the last token has gone"
    assert token.id != again.id


def test_commands_at_once_lose_no_token(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: TokenFile(tmp_path).create("ingest")[0].id, range(24)))
    assert sorted(made) == sorted(token.id for token in TokenFile(tmp_path).read())


def test_the_command_makes_lists_and_revokes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*words: str) -> tuple[str, str]:
        assert run([*words, f"--data={tmp_path}"]) == 0
        return capsys.readouterr()

    out, err = said("create", "--role", "viewer", "--name", "ann", "--json")
    assert err == ""
    token = json.loads(out)
    assert {"id", "role", "name", "created_at", "token"} == set(token)
    listed = json.loads(said("list", "--json")[0])
    assert listed == [{key: value for key, value in token.items() if key != "token"}]
    out, err = said("create", "--role=ingest")
    assert out.startswith("hw_ingest_")
    assert out.count("\n") == 1
    assert "shown this once" in err
    assert "revoked" in said("revoke", token["id"])[1]
    assert "viewer" not in said("list")[0]


def test_the_command_is_one_of_headwater(tmp_path: Path) -> None:
    done = headwater("token", "list", f"--data={tmp_path}")
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"headwater token create --role viewer" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["create"], "--role ingest|viewer|operator"),
        (["create", "--role=root"], "ingest, viewer, operator"),
        (["revoke"], "headwater token revoke ID"),
        (["revoke", "12345678"], "no token '12345678'"),
        (["make"], "create, list, revoke"),
        (["list", "12345678"], "takes no"),
    ],
)
def test_wrong_usage_gets_one_sentence(tmp_path: Path, words: list[str], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        run([*words, f"--data={tmp_path}"])
    assert says in str(caught.value)
    assert str(caught.value).endswith(".")


def test_beyond_this_machine_tokens_or_tls_or_on_purpose(tmp_path: Path) -> None:
    settings = CollectorSettings(tmp_path, api="0.0.0.0:0").checked()
    with pytest.raises(UsageError, match="headwater token create"):
        settings.check_files()
    TokenFile(tmp_path).create("viewer")
    settings.check_files()
    (warning,) = settings.warnings()
    assert "no TLS" in warning
    assert len(CollectorSettings(tmp_path / "x", api="0.0.0.0:0", insecure=True).warnings()) == 2
    assert CollectorSettings(tmp_path).warnings() == []


@pytest.mark.parametrize(
    ("words", "rest", "token"),
    [
        (["serve", "--token", "s", "--poll=1"], ["serve", "--poll=1"], "s"),
        (["serve", "--token=s"], ["serve"], "s"),
        (["serve", "--token"], ["serve", "--token"], None),
        (["sql", "--", "--token=s"], ["sql", "--", "--token=s"], None),
        (["token", "list"], ["token", "list"], None),
    ],
)
def test_a_token_is_taken_out_of_the_arguments(words: list[str], rest: list[str], token: str | None) -> None:
    assert split_token(words) == (rest, token)
