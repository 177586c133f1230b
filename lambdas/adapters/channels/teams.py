"""A card for Microsoft Teams, posted to the webhook of a workflow; the workflow's address is the secret.

https://learn.microsoft.com/en-us/connectors/teams/#microsoft-teams-webhook
"""

from __future__ import annotations

from typing import Any

from lambdas.adapters.channels.message import Notice, posted
from lambdas.adapters.channels.sending import Post, Reply, SendResult, by_status
from report.alert_words import cut_at_word

TITLE_MAX, PARAGRAPH_MAX = 300, 2_000
# Teams takes about 28 KB. A character needs four bytes at most.
BYTES_MAX = 20_000


def render(message: Notice) -> Post:
    """A title and a text block a paragraph."""
    body = [_block(cut_at_word(message.title, TITLE_MAX), weight="Bolder", size="Medium")]
    left = BYTES_MAX
    for paragraph in message.words.paragraphs:
        text = cut_at_word(paragraph, PARAGRAPH_MAX)
        if len(text.encode()) > left:
            body.append(_block("The rest is in the mail and in the report."))
            break
        left -= len(text.encode())
        body.append(_block(text))
    runbook = message.owner.runbook
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": "Runbook", "url": runbook}] if runbook else [],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return posted(message.secret, {"type": "message", "attachments": [attachment]})


def _block(text: str, **look: str) -> dict[str, Any]:
    # A card's text is Markdown: a name of a column must not become a link, and a line's end wants two.
    plain = text.replace("](", "] (").replace("\n", "\n\n")
    return {"type": "TextBlock", "text": plain, "wrap": True, **look}


def read(answer: Reply) -> SendResult:
    """What the workflow says: its address is the secret, so one that is gone may have been replaced by a person."""
    found = by_status(answer)
    return SendResult("denied", found.why) if answer.status in (404, 410) else found
