"""The `headwater` command itself, as a real process: help, exit codes, one sentence for what goes wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import entry_points, version

import pytest

from api_helpers import headwater

NOBODY = ("--collector", "http://127.0.0.1:9")


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("help",)])
def test_help_lists_every_command_with_an_example(words: tuple[str, ...]) -> None:
    done = headwater(*words)
    text = done.stdout.decode()
    assert done.returncode == 0
    listed = set(re.findall(r"^  ([a-z-]+) ", text, re.MULTILINE))
    assert listed == {entry.name for entry in entry_points(group="headwater.commands")}
    for name in listed:
        assert re.search(rf"\$ headwater {name}\b", text), f"{name} has no example"
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    "name", ["flows", "flow", "lag", "dead-letters", "ingest", "sql", "serve", "up", "pathway"]
)
def test_a_commands_help_has_examples(name: str) -> None:
    done = headwater(name, "--help")
    assert done.returncode == 0, done.stderr
    assert f"usage: headwater {name}".encode() in done.stdout
    assert re.search(rf"examples:\n  headwater {name}".encode(), done.stdout)


def test_the_version_is_that_of_the_distribution() -> None:
    assert headwater("--version").stdout.decode() == f"headwater {version('headwater')}\n"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("flaws",), 2, "There is no command 'flaws'; did you mean `headwater flows`?"),
        (("zzz",), 2, "There is no command 'zzz'; `headwater --help` lists them."),
        (("flow",), 2, "The following arguments are required: id; see `headwater flow --help`."),
        (("flows", "--last", "soon"), 2, "'soon' is no duration; write for example 500ms, 30s, 15m, 2h or 7d."),
        (("flows", "--status", "odd"), 2, "--status is 'odd', but takes one of ok, error, open."),
        (("dead-letters", "a@b", *NOBODY), 2, "'a@b' names no message; write it as topic@partition:offset"),
        (("lag", "--collector", "ftp://x"), 2, "'ftp://x' is no collector's address"),
        (("lag", "--collector", "http://x:y"), 2, "'http://x:y' is no collector's address"),
        (("sql", "from flows", "--store", "/nowhere"), 3, "There is no store at /nowhere."),
        *(
            ((*words, *NOBODY), 3, "No collector answers at http://127.0.0.1:9; start one with `headwater serve`")
            for words in (("flows",), ("flow", "x"), ("lag", "--json"), ("dead-letters",), ("ingest",), ("sql", "x"))
        ),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_one_sentence_and_an_exit_code(
    words: tuple[str, ...], code: int, says: str
) -> None:
    done = headwater(*words)
    assert done.returncode == code
    assert done.stdout == b""
    assert done.stderr.decode().startswith(says)
    assert done.stderr.count(b"\n") == 1


def test_a_traceback_is_shown_with_debug_only() -> None:
    assert b"Traceback" in headwater("lag", *NOBODY, "--debug").stderr


def test_a_missing_extra_is_named_with_how_to_get_it() -> None:
    code = (
        "import sys; from headwater_analysis import cli\n"
        "class Entry:\n"
        "    def load(self):\n"
        "        raise ModuleNotFoundError('no', name='textual.app')\n"
        "cli._commands = lambda: {'tui': Entry()}\n"
        "sys.exit(cli.main(['tui']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert done.stderr.decode() == "`headwater tui` needs textual: pip install 'headwater[tui]'\n"
    assert done.returncode == 3


@pytest.mark.parametrize(
    "module",
    ["headwater_analysis.cli", "headwater_analysis.commands.flows", "headwater_analysis.commands.lag",
     "headwater_analysis.commands.dead_letters", "headwater_analysis.commands.ingest",
     "headwater_analysis.sql_prompt"],
)  # fmt: skip
def test_asking_a_collector_loads_neither_database_nor_columns(module: str) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    loaded = set(json.loads(done.stdout))
    assert not loaded & {"duckdb", "pyarrow", "numpy", "pandas", "textual", "dash", "headwater_collector"}
