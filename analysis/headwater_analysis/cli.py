"""The `headwater` command: finds a command by name, loads only its room, turns errors into one sentence."""

import difflib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points, version

from .errors import HeadwaterError, Unavailable, UsageError
from .private_arguments import hide_token

GROUP = "headwater.commands"

# What stands in `headwater --help`, in the order a newcomer needs it.
_HELP = (
    (
        "Start something",
        (
            ("demo", "everything at once, with a shop and a broker of its own", "headwater demo"),
            ("up", "collector and dashboard", "headwater up --kafka localhost:9092"),
            ("serve", "the collector alone", "headwater serve --data ./data"),
            ("token", "who may send, look or act", "headwater token create --role ingest"),
            ("import", "traces recorded elsewhere", "headwater import traces.jsonl --now"),
        ),
    ),
    (
        "Look",
        (
            ("tui", "the terminal screens", "headwater tui /queues"),
            ("dashboard", "the browser screens", "headwater dashboard --web 127.0.0.1:8050"),
        ),
    ),
    (
        "Ask",
        (
            ("flows", "what ran end to end, newest first", "headwater flows --last 15m --status error"),
            ("flow", "one flow as a waterfall, the waits drawn", "headwater flow orders@3:1042"),
            ("topology", "who sends what to whom, with rates and lag", "headwater topology"),
            ("pathways", "flows by entry, and how often each came", "headwater pathways"),
            (
                "pathway",
                "where its flows' time goes, and what if",
                'headwater pathway ID --what-if "wait x0"',
            ),
            ("queues", "topics and groups: lag, rates, when it is gone", "headwater queues"),
            ("lag", "how far groups are behind, and why", "headwater lag --group payments --partitions"),
            ("blockers", "what groups cannot get over, down to the call", "headwater blockers"),
            ("rebalances", "who came and went, and what it cost", "headwater rebalances --last 1h"),
            ("advice", "how many consumers, or why more will not help", "headwater advice --keda"),
            ("ledger", "what became of every message", "headwater ledger --stuck"),
            ("dead-letters", "dead letters by cause", "headwater dead-letters --json"),
            ("alerts", "what the alert rules say, and who was told", "headwater alerts"),
            ("ingest", "is what services send being kept", "headwater ingest"),
            ("check", "are budgets kept, is it as it was", "headwater check budgets.toml --window 10m"),
            ("doctor", "what is not instrumented, and the line that mends it", "headwater doctor"),
            ("sql", "a question by hand, or a prompt", 'headwater sql "from flows limit 5"'),
        ),
    ),
)

_ROOM_EXTRAS = (
    {"textual": "tui"}
    | dict.fromkeys(("dash", "plotly", "dash_mantine_components", "dash_ag_grid", "fastapi"), "dashboard")
    | dict.fromkeys(("opentelemetry", "headwater_instrumentation"), "demo")
)
"""Which extra brings a package that only some rooms need."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; the exit code is 0 fine, 1 bad answer, 2 wrong usage, 3 something is missing."""
    words = list(sys.argv[1:] if argv is None else argv)
    if argv is None:
        hide_token(words)
    debug = "--debug" in words
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that lacks a sign gets another, and no error.
        sys.stdout.reconfigure(errors="replace")
    try:
        return _run(words)
    except HeadwaterError as error:
        if debug:
            traceback.print_exc()
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output has gone; without this the interpreter complains once more on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        sys.stderr.write(
            f"An error of headwater itself: {type(error).__name__}: {error}; "
            "call again with --debug to see where.\n"
        )
        return 1


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        sys.stdout.write(help_text())
        return 0
    if words[0] in ("-V", "--version", "version"):
        sys.stdout.write(f"headwater {version('headwater')}\n")
        return 0
    name, rest = words[0], words[1:]
    commands = _commands()
    if name not in commands:
        near = difflib.get_close_matches(name, commands, 1)
        hint = f"did you mean `headwater {near[0]}`?" if near else "`headwater --help` lists them."
        raise UsageError(f"There is no command {name!r}; {hint}")
    try:
        code: int = commands[name].load()(rest)
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        extra = _ROOM_EXTRAS.get(missing)
        if extra is None:
            raise
        raise Unavailable(f"`headwater {name}` needs {missing}: pip install 'headwater[{extra}]'") from error
    return code


def _commands() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def help_text() -> str:
    """What `headwater --help` prints: commands by purpose, an example each."""
    lines = [
        "See what happened to an event after it left its producer.",
        "",
        "usage: headwater COMMAND …",
        "",
    ]
    for title, commands in _HELP:
        lines.append(f"{title}:")
        for name, summary, example in commands:
            lines += [f"  {name:<13} {summary}", f"  {'':<13} $ {example}"]
        lines.append("")
    lines += [
        "`headwater COMMAND --help` explains a command, `headwater --version` says which this is.",
        "Every setting is also HEADWATER_… in the environment and a key in the TOML file of --config.",
        "Exit codes: 0 fine, 1 a bad answer, 2 asked wrongly, 3 something needed is not there.",
    ]
    return "\n".join(lines) + "\n"
