"""An event of the topic *Events* as the channels outside AWS show it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from kedge.config.owners import Owner
from kedge.instants import from_text
from kedge.severity import Severity
from lambdas.adapters.channels.sending import Post
from report.alert_text import alert_parts
from report.alert_words import Message as Words
from report.alert_words import Place, console_link, section

# What a pager does with a message: `change` is something to know, and wakes nobody.
Action = Literal["trigger", "acknowledge", "resolve", "change"]


@dataclass(frozen=True)
class Event:
    """What was published, read and named.

    Attributes
    ----------
    id : str
        The same for the same message, however often it was published or delivered.
    """

    document: Mapping[str, Any]
    model: str
    kind: str
    time: datetime
    severity: Severity
    episode: str
    resolved: bool
    id: str

    @classmethod
    def read(cls, body: str) -> Event:
        """Read the topic's JSON; KeyError, TypeError or ValueError where it is something else."""
        found = json.loads(body)
        return cls(
            found,
            str(found["model"]),
            str(found["kind"]),
            from_text(found["time"]),
            Severity(found["severity"]),
            str(found["episode"]),
            bool(found["resolved"]),
            event_id(found),
        )


def event_id(event: Mapping[str, Any]) -> str:
    """What names a message by its content, but for the mark of a repetition."""
    told = {name: fact for name, fact in event["detail"].items() if name != "repeated"}
    identity = json.dumps([event["time"], event["model"], event["kind"], told], sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Notice:
    """An event on its way to one channel.

    Attributes
    ----------
    incident : str
        The incident's name in this deployment.
    repeated : bool
        Whether the service may have shown it already.
    late : bool
        Whether a newer message of the same incident was sent before.
    thread : str
        Where a chat answers in; empty for the first message of an incident.
    sent_at : datetime
        The time of this try.
    place : Place
        Where the deployment keeps the model's page.
    """

    event: Event
    owner: Owner
    action: Action
    incident: str
    repeated: bool
    late: bool
    thread: str
    sent_at: datetime
    place: Place
    secret: str = field(repr=False)

    @property
    def incident_key(self) -> str:
        """The incident's name where several deployments call one pager, or tell one room: each has a bucket of its own."""
        return f"{hashlib.sha256(self.place.bucket.encode()).hexdigest()[:8]}/{self.incident}"

    @property
    def words(self) -> Words:
        """Title and paragraphs, in the words of the mail: what is hidden there is hidden here."""
        event = self.event
        marked = {"repeated": True} if self.repeated else {}
        parts = alert_parts(event.kind, event.model, event.time, {**event.document["detail"], **marked}, self.place)
        late = "A newer message was sent before this one." if self.late else ""
        runbook = section("RUNBOOK", self.owner.runbook or "")
        return Words(parts.headline, tuple(part for part in (*parts.paragraphs, late, runbook) if part))

    @property
    def links(self) -> dict[str, str]:
        """Where to look, by what the link says: the runbook first, then the window's report if the message is about one."""
        report = self.event.document["detail"].get("report")
        found = {
            "Runbook": self.owner.runbook,
            "Report": console_link(str(report)) if report else None,
            **self.place.addresses(self.event.model),
        }
        return {text: address for text, address in found.items() if address}

    @property
    def title(self) -> str:
        """The headline with its severity in front."""
        severity = self.event.severity
        return self.words.headline if severity is Severity.OK else f"{severity.value}: {self.words.headline}"

    @property
    def text(self) -> str:
        """All paragraphs."""
        return "\n\n".join(self.words.paragraphs)


def posted(url: str, document: Mapping[str, Any], **headers: str) -> Post:
    """A request with a JSON body."""
    body = json.dumps(document, ensure_ascii=False, default=str).encode()
    return Post(url, body, {"Content-Type": "application/json; charset=utf-8", **headers})
