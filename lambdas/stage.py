"""The stage that this function, or this command, works in."""

from __future__ import annotations

import os

from kedge.config.stage import VARIABLE, Stage


def current() -> Stage:
    """The stage that the environment names; without one, the Kedge whose names carry none."""
    return Stage(os.environ.get(VARIABLE, ""))
