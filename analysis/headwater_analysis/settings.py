"""One declaration of an option makes its flag, its HEADWATER_… variable, its TOML key and its line of help.

What wins: flag, then environment, then the file given by --config (or the user's own configuration file),
then the default.
"""

import argparse
import difflib
import os
import sys
import textwrap
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from .errors import UsageError

ENVIRONMENT_PREFIX = "HEADWATER_"
FILE_KEYS = frozenset(
    "api axis baseline budget cache capture collector data dead_letters debug decoder every fault filter "
    "format group headroom insecure json kafka keda keep_days keep_notable_days keep_size last limit "
    "max_body max_connections max_log message min_free name no_dashboard now orders otlp_grpc otlp_http "
    "partitions poll rate reference role seconds seed share_groups sign_in since sort state status store "
    "store_memory strict stuck theme throughput tls_ca tls_cert tls_key to token tolerance topic tui view "
    "watch web what_if window".split()
)
"""Every command's settings: one file serves all of them, and a key that none has is a mistake."""
FILE_TABLES = ("alerts", "clusters", "masking")
"""Tables that the file may hold."""


@dataclass(frozen=True)
class Option:
    """A setting: ``otlp-grpc`` is --otlp-grpc, HEADWATER_OTLP_GRPC and the TOML key otlp_grpc."""

    name: str
    help: str
    """One sentence; the reason for the default where it is not plain."""
    default: object = None
    kind: str = "text"
    """text, whole, number, flag, path, address (HOST:PORT), list (repeatable text) or choice."""
    choices: tuple[str, ...] = ()
    metavar: str | None = None

    @property
    def key(self) -> str:
        """Name as an attribute and as a TOML key."""
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """Name in the environment."""
        return ENVIRONMENT_PREFIX + self.key.upper()


@dataclass(frozen=True)
class Positional:
    """A word without a flag."""

    name: str
    help: str
    optional: bool = False
    many: bool = False


@dataclass(frozen=True)
class Command:
    """What a command is called, what it does and what it takes."""

    name: str
    summary: str
    examples: tuple[str, ...] = ()
    positionals: tuple[Positional, ...] = ()
    options: tuple[Option, ...] = ()


@dataclass(frozen=True)
class Settings:
    """The values of one call, by attribute; ``tables`` holds the TOML file's tables, such as clusters."""

    values: Mapping[str, Any]
    tables: Mapping[str, Any] = field(default_factory=dict)
    given: frozenset[str] = frozenset()
    """Keys that flag, environment or file gave; the rest are defaults."""

    def __getattr__(self, key: str) -> Any:
        try:
            return self.values[key]
        except KeyError:
            raise AttributeError(key) from None


COLLECTOR = Option(
    "collector", "Address of the collector's API.", "http://127.0.0.1:4319", "text", metavar="URL"
)
TOKEN = Option("token", "Token for a collector that asks for one.", None, "text")
TLS_CA = Option(
    "tls-ca", "Certificates to trust for an https:// collector, in PEM; else the system's.", None, "path"
)
STORE = Option("store", "A store file that no collector holds, opened read-only.", None, "path")
JSON = Option("json", "Print JSON for machines, and nothing else.", False, "flag")
CONFIG = Option("config", "A TOML file with these settings.", None, "path")
DEBUG = Option("debug", "Show a traceback when something fails.", False, "flag")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}; see `{self.prog} --help`.")


def read(command: Command, argv: Sequence[str], environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of a call. ``--help`` prints and ends the process with 0.

    Raises UsageError with the place of a wrong value and what is allowed there.
    """
    environ = os.environ if environ is None else environ
    # Whoever asks a collector may need to know its certificate.
    asking = (TLS_CA,) if COLLECTOR in command.options else ()
    options = (*command.options, *asking, CONFIG, DEBUG)
    flags = vars(_parser(command, options).parse_args(argv))
    path = flags.get("config") or environ.get(CONFIG.variable)
    document, origin = _file(Path(path) if path else None)
    _check_keys(document, origin, {option.key for option in options})
    values: dict[str, Any] = {}
    given: set[str] = set()
    for option in options:
        sources: tuple[tuple[Any, str], ...] = (
            (flags.get(option.key), f"--{option.name}"),
            (_from_environment(option, environ), option.variable),
            (document.get(option.key), f"{option.key} in {origin}"),
        )
        found = next(((value, place) for value, place in sources if value is not None), None)
        if found is None:
            values[option.key] = option.default
        else:
            values[option.key] = _checked(option, *found)
            given.add(option.key)
    for positional in command.positionals:
        values[positional.name] = flags[positional.name]
    tables = {key: value for key, value in document.items() if isinstance(value, dict)}
    return Settings(values, tables, frozenset(given))


def _parser(command: Command, options: Sequence[Option]) -> _Parser:
    examples = "".join(f"  {example}\n" for example in command.examples)
    parser = _Parser(
        prog=f"headwater {command.name}",
        description=textwrap.fill(command.summary, 100),
        epilog=f"examples:\n{examples}" if examples else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for positional in command.positionals:
        count = "*" if positional.many else "?" if positional.optional else None
        parser.add_argument(positional.name, help=positional.help, nargs=count)
    for option in options:
        default = (
            ""
            if option.default in (None, False, "") or option.kind == "list"
            else f" Default: {option.default}."
        )
        wanted: dict[str, Any] = {"dest": option.key, "default": None, "help": (option.help + default)}
        wanted["help"] = wanted["help"].replace("%", "%%")
        if option.kind == "flag":
            parser.add_argument(f"--{option.name}", action=argparse.BooleanOptionalAction, **wanted) if (
                option.default is True
            ) else parser.add_argument(f"--{option.name}", action="store_true", **wanted)
        else:
            action = "append" if option.kind == "list" else "store"
            metavar = option.metavar or ("|".join(option.choices) or _METAVARS.get(option.kind, "TEXT"))
            parser.add_argument(f"--{option.name}", action=action, metavar=metavar, **wanted)
    return parser


def _from_environment(option: Option, environ: Mapping[str, str]) -> Any:
    text = environ.get(option.variable)
    if text is None or text == "":
        return None
    return [part.strip() for part in text.split(";") if part.strip()] if option.kind == "list" else text


def _file(path: Path | None) -> tuple[dict[str, Any], str]:
    if path is None:
        # Loaded only here: most calls have no file, and the terminal's start counts milliseconds.
        from platformdirs import user_config_path

        path = user_config_path("headwater") / "config.toml"
        if not path.is_file():
            return {}, str(path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")), str(path)
    except OSError as error:
        raise UsageError(f"The configuration {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"The configuration {path} is no TOML: {error}.") from None


def _check_keys(document: Mapping[str, Any], origin: str, own: set[str]) -> None:
    for key, value in document.items():
        known = FILE_TABLES if isinstance(value, dict) else FILE_KEYS | own
        if key not in known:
            near = difflib.get_close_matches(key.replace("-", "_"), known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}."
            raise UsageError(f"{key} in {origin} is no setting; {hint}")


def _checked(option: Option, value: Any, place: str) -> Any:
    try:
        return _READERS[option.kind](option, value)
    except (ValueError, TypeError) as error:
        shown = "not shown here" if option is TOKEN else repr(value)
        raise UsageError(f"{place} is {shown}, but takes {error}.") from None


def _whole(_option: Option, value: Any) -> int:
    try:
        number = int(str(value))
    except ValueError:
        number = -1
    if number < 0 or isinstance(value, bool):
        raise ValueError("a whole number, 0 or more")
    return number


def _number(_option: Option, value: Any) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf") or isinstance(value, bool):
        raise ValueError("a number, 0 or more")
    return number


def _flag(_option: Option, value: Any) -> bool:
    known = {
        "true": True,
        "1": True,
        "yes": True,
        "on": True,
        "false": False,
        "0": False,
        "no": False,
        "off": False,
    }
    try:
        return known[str(value).lower()]
    except KeyError:
        raise ValueError("true or false") from None


def _text(_option: Option, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text")
    return value


def _address(_option: Option, value: Any) -> str:
    host, colon, port = str(value).rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("HOST:PORT, such as 127.0.0.1:4318; port 0 takes a free one")
    return str(value)


def _list(_option: Option, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise ValueError("a list of texts")
    return tuple(value)


def _choice(option: Option, value: Any) -> str:
    if value not in option.choices:
        raise ValueError("one of " + ", ".join(option.choices))
    return str(value)


def _path(_option: Option, value: Any) -> Path:
    return Path(str(value)).expanduser()


_READERS: dict[str, Callable[[Option, Any], Any]] = {
    "text": _text, "whole": _whole, "number": _number, "flag": _flag, "path": _path, "address": _address,
    "list": _list, "choice": _choice,
}  # fmt: skip
_METAVARS = {"whole": "N", "number": "NUMBER", "path": "PATH", "address": "HOST:PORT"}


def out(text: str) -> None:
    """Writes to standard output, which belongs to answers."""
    sys.stdout.write(text)


def note(text: str) -> None:
    """Writes a line to standard error, which belongs to everything that is not the answer."""
    sys.stderr.write(text.rstrip("\n") + "\n")
    sys.stderr.flush()
