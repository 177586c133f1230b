"""What a channel's secret looks like, so that a wrong one is found before the first alert."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kedge.config.owners import Channel

# The form of each secret, and its name in words. A mail's address is no secret.
_FORMS: Mapping[Channel, tuple[str, str]] = {
    "slack": (r"xoxb-[\w-]{10,500}", "a bot token that begins with xoxb-"),
    "teams": (r"https://[^\s/@]+/\S{1,4000}", "the https address of a Workflows webhook"),
    "pagerduty": (r"[A-Za-z0-9]{32}", "an integration key of 32 letters and digits"),
    "opsgenie": (r"[\w.~+/=-]{10,1000}", "an API key in one line without spaces"),
    "webhook": (r"\S{32,1000}", "a signing key of at least 32 characters without spaces"),
}


def secret_problem(channel: Channel, secret: str) -> str:
    """What is wrong with a secret, without a word of it; empty where it has the right form.

    >>> secret_problem("pagerduty", "too-short")
    'it must be an integration key of 32 letters and digits'
    """
    form, words = _FORMS[channel]
    return "" if re.fullmatch(form, secret, re.ASCII) else f"it must be {words}"
