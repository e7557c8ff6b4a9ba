"""Secrets in the configuration file stand in the environment."""

from __future__ import annotations

import os
import re

from headwater_analysis.errors import UsageError


def filled(text: str, place: str) -> str:
    """``${NAME}`` replaced by an environment variable, so that no secret needs to lie in a file. Raises UsageError."""

    def of(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise UsageError(f"{place} needs the environment variable {match[1]}.")
        return os.environ[match[1]]

    return re.sub(r"\$\{(\w+)\}", of, text)
