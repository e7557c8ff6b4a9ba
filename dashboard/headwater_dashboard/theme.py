"""Colours by meaning, for light and dark; the same names in CSS, in the grid, in charts and on the canvas."""

from typing import Any

import plotly.graph_objects as go

TONES = {
    "light": {"good": "#1f6f3a", "busy": "#0b5f83", "warn": "#7a5200", "bad": "#b3261e", "quiet": "#5a6169"},
    "dark": {"good": "#7bd389", "busy": "#6fc3df", "warn": "#f2c14e", "bad": "#ff8f87", "quiet": "#a0a8b0"},
}
SURFACES = {
    "light": {"page": "#ffffff", "panel": "#f4f6f8", "line": "#d5dae0", "text": "#1b2026", "link": "#0b5f83"},
    "dark": {"page": "#14181d", "panel": "#1c2229", "line": "#343c46", "text": "#e3e7eb", "link": "#6fc3df"},
}

GRAPH_CONFIG: Any = {"displaylogo": False, "modeBarButtonsToRemove": ["sendDataToCloud", "share", "shareChart"],
                "displayModeBar": False, "responsive": True}  # fmt: skip
"""No bar of buttons: plotly puts one into it that would upload the chart to an outside host."""


def css() -> str:
    """The colours as CSS variables, for the page to use and the canvas to read."""
    blocks = []
    for scheme in ("light", "dark"):
        values = {**TONES[scheme], **SURFACES[scheme]}
        body = "".join(f"--hw-{name}:{colour};" for name, colour in values.items())
        blocks.append(f':root[data-mantine-color-scheme="{scheme}"]{{{body}color-scheme:{scheme};}}')
    return "\n".join(blocks)


def template(scheme: str) -> go.layout.Template:
    """The charts' template for a scheme."""
    surface = SURFACES.get(scheme, SURFACES["light"])
    axis = {"gridcolor": surface["line"], "zerolinecolor": surface["line"], "linecolor": surface["line"]}
    return go.layout.Template(
        layout={
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"color": surface["text"], "size": 12},
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 50, "r": 10, "t": 10, "b": 30},
        }
    )
