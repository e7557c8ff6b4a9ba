"""One declaration: flag over environment over file over default, and a sentence for every wrong value."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from sys import modules

import pytest

from headwater_analysis import settings
from headwater_analysis.errors import UsageError
from headwater_analysis.settings import CONFIG, FILE_KEYS, Command, Option, Positional, read

COMMAND = Command(
    "try",
    "Tries out every kind of setting.",
    ("headwater try this --poll 2",),
    (Positional("what", "anything", optional=True),),
    (
        Option("api", "An address.", "127.0.0.1:4319", "address"),
        Option("poll", "Seconds, since brokers are busy.", 5.0, "number"),
        Option("limit", "A number.", 100, "whole"),
        Option("insecure", "A flag.", False, "flag"),
        Option("kafka", "Texts.", (), "list"),
        Option("capture", "One of two.", "class", "choice", ("class", "full")),
        Option("data", "A path.", None, "path"),
        Option("token", "A text.", None),
    ),
)


@pytest.fixture(autouse=True)
def nobodys_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def a_file(folder: Path, text: str) -> str:
    path = folder / "headwater.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_defaults_hold_where_nothing_is_given() -> None:
    found = read(COMMAND, [], {})
    assert (found.api, found.poll, found.limit, found.insecure) == ("127.0.0.1:4319", 5.0, 100, False)
    assert (found.kafka, found.capture, found.data, found.token, found.what) == (
        (),
        "class",
        None,
        None,
        None,
    )
    assert found.given == frozenset()


def test_flag_wins_over_environment_over_file_over_default(tmp_path: Path) -> None:
    file = a_file(tmp_path, 'poll = 2\nlimit = 2\ntoken = "file"\nkafka = ["a:1", "b:2"]\n')
    environ = {"HEADWATER_LIMIT": "3", "HEADWATER_TOKEN": "environment"}
    found = read(COMMAND, ["--config", file, "--token", "flag", "word"], environ)
    assert (found.poll, found.limit, found.token, found.what) == (2.0, 3, "flag", "word")
    assert found.kafka == ("a:1", "b:2")
    assert found.given == {"poll", "limit", "token", "kafka", "config"}


def test_the_users_own_file_is_read_without_being_named(tmp_path: Path) -> None:
    own = tmp_path / "config" / "headwater"
    own.mkdir(parents=True)
    (own / "config.toml").write_text("poll = 9\n")
    assert read(COMMAND, [], {}).poll == 9


def test_every_kind_comes_from_a_flag_and_from_the_environment() -> None:
    by_flag = read(
        COMMAND,
        ["--api=[::1]:0", "--insecure", "--kafka", "a:1", "--kafka=b:2", "--capture=full", "--data", "d"],
        {},
    )
    by_environment = read(
        COMMAND,
        [],
        {"HEADWATER_API": "[::1]:0", "HEADWATER_INSECURE": "yes", "HEADWATER_KAFKA": "a:1; b:2",
         "HEADWATER_CAPTURE": "full", "HEADWATER_DATA": "d"},
    )  # fmt: skip
    assert dict(by_flag.values) == dict(by_environment.values)
    assert by_flag.data == Path("d")


def test_tables_are_handed_on(tmp_path: Path) -> None:
    file = a_file(tmp_path, '[clusters.prod]\nbootstrap = "b:9092"\n')
    assert read(COMMAND, ["--config", file], {}).tables == {"clusters": {"prod": {"bootstrap": "b:9092"}}}


@pytest.mark.parametrize(
    ("argv", "environ", "says"),
    [
        (["--poll", "soon"], {}, "--poll is 'soon', but takes a number, 0 or more."),
        (["--limit", "1.5"], {}, "--limit is '1.5', but takes a whole number, 0 or more."),
        (["--api", "localhost"], {}, "--api is 'localhost', but takes HOST:PORT"),
        (["--api", "localhost:70000"], {}, "takes HOST:PORT"),
        (["--capture", "some"], {}, "--capture is 'some', but takes one of class, full."),
        ([], {"HEADWATER_INSECURE": "perhaps"}, "HEADWATER_INSECURE is 'perhaps', but takes true or false."),
        ([], {"HEADWATER_POLL": "-1"}, "HEADWATER_POLL is '-1', but takes a number"),
        (["--pol=1"], {}, "Unrecognized arguments: --pol=1; see `headwater try --help`."),
        (["a", "b"], {}, "Unrecognized arguments: b"),
        (["--config", "/nowhere.toml"], {}, "The configuration /nowhere.toml cannot be read"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(argv: list[str], environ: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(COMMAND, argv, environ)
    assert says in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("poll = ", "is no TOML"),
        ('poll = "5 s"', "poll in {file} is '5 s', but takes a number"),
        ("token = 5", "token in {file} is 5, but takes a text"),
        ("kafka = [1]", "kafka in {file} is [1], but takes a list of texts"),
        ("insecure = 3", "insecure in {file} is 3, but takes true or false"),
        ("otlp-grpc = 'x:1'", "otlp-grpc in {file} is no setting; did you mean otlp_grpc?"),
        ("[cluster.prod]", "cluster in {file} is no setting; did you mean clusters?"),
        ("zzz = 1", "zzz in {file} is no setting; there are api"),
    ],
)
def test_a_wrong_file_is_named_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    file = a_file(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read(COMMAND, ["--config", file], {})
    assert says.format(file=file) in str(caught.value)


def test_another_commands_settings_may_stand_in_the_same_file(tmp_path: Path) -> None:
    assert read(COMMAND, ["--config", a_file(tmp_path, "otlp_grpc = 'x:1'\npoll = 3")], {}).poll == 3


def test_help_teaches_and_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read(COMMAND, ["--help"], {})
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for part in ("Tries out every kind", "--poll", "Default: 5.0", "headwater try this --poll 2", "--config"):
        assert part in text


def test_the_keys_of_a_file_are_those_of_all_commands() -> None:
    declared = {CONFIG.key, settings.DEBUG.key}
    for entry in entry_points(group="headwater.commands"):
        try:
            entry.load()
        except ModuleNotFoundError as error:
            assert (error.name or "").startswith("headwater_"), f"{entry.name}: {error}"
            continue
        for value in vars(modules[entry.module]).values():
            if isinstance(value, Command):
                declared |= {option.key for option in value.options}
    missing = declared - FILE_KEYS - {CONFIG.key}
    assert not missing, "settings.FILE_KEYS lacks them"
