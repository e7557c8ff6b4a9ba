"""Copying: through tmux where it runs, else the terminal's own way, else a file; what happened is always said."""

import os
import subprocess
import tempfile
from pathlib import Path

from textual.app import App

OSC_52_BYTES = 75_000
"""Terminals drop more than about this much."""


def copy(app: App[None], text: str) -> str:
    """Copies, and gives the sentence that says what happened."""
    if os.environ.get("TMUX"):
        # Under tmux's default settings the terminal's own way is dropped silently.
        try:
            subprocess.run(["tmux", "load-buffer", "-w", "-"], input=text.encode(), check=True, timeout=5)
        except (OSError, subprocess.SubprocessError):
            return _to_file(text)
        return "copied (tmux)"
    if len(text.encode()) <= OSC_52_BYTES:
        app.copy_to_clipboard(text)
        return "copied (if your terminal allows OSC 52)"
    return _to_file(text)


def _to_file(text: str) -> str:
    with tempfile.NamedTemporaryFile("w", prefix="headwater-copy-", suffix=".txt", delete=False) as file:
        file.write(text)
    return f"saved to {Path(file.name)}"
