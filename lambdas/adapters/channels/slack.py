"""Slack's `chat.postMessage`: an episode is a thread, and a refusal hides behind status 200.

https://docs.slack.dev/reference/methods/chat.postMessage
"""

from __future__ import annotations

import json
import re
from typing import Any

from kedge.config.owners import Owner
from kedge.severity import Severity
from lambdas.adapters.channels.message import Notice, posted
from lambdas.adapters.channels.sending import Post, Reply, SendResult, by_status, seconds
from report.alert_words import cut_at_word

URL = "https://slack.com/api/chat.postMessage"
HEADER_MAX, SECTION_MAX, SECTIONS_MAX = 150, 2_800, 40
# Slack refuses about 13,200 characters of blocks in all, below the product of its documented limits.
ALL_MAX = 11_000
# Words of Slack's that pass by themselves; the first two leave open whether the message was posted.
_UNCERTAIN = {"fatal_error", "internal_error"}
_PASSING = {"ratelimited", "rate_limited", "request_timeout", "service_unavailable", "team_added_to_org"}
# Kedge's own links. A column or a level may be called like an address, and a message must not make that a link.
_CONSOLE = r"https://(?:[a-z0-9-]+\.)?console\.aws\.amazon\.com/[^\s<>|]+[^\s<>|.,;:…]"
# Words that another token may change.
_DENIED = {"invalid_auth", "not_authed", "token_expired", "token_revoked", "account_inactive"}


def render(message: Notice) -> Post:
    """A header and a section a paragraph, in the incident's thread; an end or a loss is shown in the channel too."""
    document: dict[str, Any] = {
        "channel": place(message.owner),
        "text": cut_at_word(escaped(message.title), SECTION_MAX),
        "blocks": blocks(message),
        "unfurl_links": False,
        "metadata": {"event_type": "kedge_alert", "event_payload": {"id": message.event.id}},
    }
    if message.thread:
        loud = message.event.resolved or message.event.severity is Severity.CRITICAL
        document |= {"thread_ts": message.thread, "reply_broadcast": loud}
    return posted(URL, document, Authorization=f"Bearer {message.secret}")


def place(owner: Owner) -> str:
    """The channel, which a thread belongs to."""
    return owner.slack.channel if owner.slack else ""


def blocks(message: Notice) -> list[dict[str, Any]]:
    """As many paragraphs as fit; what does not fit is in the report."""
    header = {"type": "header", "text": {"type": "plain_text", "text": cut_at_word(message.title, HEADER_MAX)}}
    found, left = [header], ALL_MAX
    runbook = re.escape(escaped(message.owner.runbook or ""))
    own = re.compile(f"{_CONSOLE}|{runbook}" if runbook else _CONSOLE)
    for number, paragraph in enumerate(message.words.paragraphs):
        text = _without_half_escape(cut_at_word(escaped(paragraph), SECTION_MAX))
        if len(text) > left or number == SECTIONS_MAX:
            found.append(_section("The rest is in the mail and in the report."))
            break
        left -= len(text)
        found.append(_section(own.sub(r"<\g<0>>", text)))
    return found


def read(answer: Reply) -> SendResult:
    """What Slack says in the body; its word for an error is one of a fixed list, and may be logged."""
    by_code = by_status(answer)
    if by_code.verdict != "accepted":
        return by_code
    try:
        found = json.loads(answer.body)
        accepted, word, thread = found["ok"], str(found.get("error", "")), str(found.get("ts", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return SendResult("again", "an answer that is not Slack's", uncertain=True)
    if accepted is True:
        return SendResult("accepted", "ok", thread=thread)
    why = word if re.fullmatch(r"[a-z_]{1,60}", word) else "an error without a name"
    if word in _PASSING or word in _UNCERTAIN:
        return SendResult("again", why, seconds(answer.retry_after), uncertain=word in _UNCERTAIN)
    if word == "thread_not_found":
        return SendResult("again", why, 1, thread_is_gone=True)
    return SendResult("denied" if word in _DENIED else "refused", why)


def escaped(text: str) -> str:
    """Text in which nothing is a mention, a link or a command of Slack's."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _without_half_escape(text: str) -> str:
    return re.sub(r"&[a-z]{0,3}…$", "…", text)


def _section(text: str) -> dict[str, Any]:
    # Verbatim: a column called @channel calls nobody.
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}
