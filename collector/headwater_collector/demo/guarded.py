"""A `headwater` command that ends when whoever started it is gone: its standard input is a pipe from there."""

import os
import signal
import sys
import threading

from headwater_analysis import cli

GRACE_SECONDS = 5.0


def main() -> int:
    """Runs the command of ``sys.argv``."""
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    return cli.main()


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    threading.Timer(GRACE_SECONDS, os._exit, (1,)).start()
    os.kill(os.getpid(), signal.SIGTERM)
