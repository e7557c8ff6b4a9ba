"""What is begun anew in a forked process: numbers are the parent's, and locks may be held by threads that are gone."""

import os
import weakref
from typing import Any


def anew_after_fork(owner: Any) -> None:
    """Calls ``owner.forget()`` in every process that is forked while it is alive."""
    this = weakref.ref(owner)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: _forget(this()))


def _forget(owner: Any) -> None:
    if owner is not None:
        owner.forget()
