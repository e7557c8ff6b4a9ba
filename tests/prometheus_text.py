"""What `GET /metrics` answers, read by the rules of the text format."""

from __future__ import annotations

import re

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')


def parse(text: str) -> tuple[Samples, dict[str, str]]:
    """Samples and types of the text format 0.0.4; fails on whatever breaks its rules."""
    samples: Samples = {}
    types: dict[str, str] = {}
    helps: set[str] = set()
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            assert name not in helps, f"a second HELP for {name}"
            helps.add(name)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert kind in ("counter", "gauge")
            assert name not in types, f"a second TYPE for {name}"
            assert name in helps, f"no HELP before the TYPE of {name}"
            types[name] = kind
        else:
            found = _SAMPLE.fullmatch(line)
            assert found, line
            name, inside, value = found.groups()
            assert name == list(types)[-1], f"{name} stands outside its family"
            labels = frozenset(_LABEL.findall(inside or ""))
            assert _LABEL.sub("", inside or "") == "", line
            assert (name, labels) not in samples, f"{line} twice"
            samples[name, labels] = float(value)
    for name, kind in types.items():
        assert name.startswith(("headwater_", "kafka_"))
        assert name.endswith("_total") == (kind == "counter"), name
    return samples, types
