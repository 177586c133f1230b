"""Who decided about a package last, and when, although Kedge has changed it since.

The registry says of a package's last change alone who made it. When Kedge shows a stage, it writes with the same call what was
decided before, in the package's metadata; of a package that it changed last, that counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from kedge.instants import from_text

DECISION, DECIDED_AT, DECIDED_BY, PERSON, SHOWN_BY = (
    "kedge:decision",
    "kedge:decided_at",
    "kedge:decided_by",
    "kedge:person",
    "kedge:shown_by",
)
NOTES = (DECISION, DECIDED_AT, DECIDED_BY, PERSON, SHOWN_BY)
# The registry takes no empty text, and keeps what an update does not mention.
_NOBODY = "-"


@dataclass(frozen=True)
class LastDecision:
    """When a package was last changed by anybody else than Kedge's own life cycle, by whom, and by which person."""

    at: datetime | None
    by: str
    person: str


def notes_of(decision: LastDecision, *, status: str, comment: str, role: str) -> dict[str, str]:
    """Write the decision down as metadata, with the name of the role that does so."""
    return {
        DECISION: _digest(status, comment),
        DECIDED_AT: decision.at.isoformat() if decision.at else _NOBODY,
        DECIDED_BY: decision.by or _NOBODY,
        PERSON: decision.person or _NOBODY,
        SHOWN_BY: role,
    }


def last_decision(changed: LastDecision, notes: Mapping[str, str], *, status: str, comment: str) -> LastDecision:
    """Tell the last decision, from the last change and from what Kedge has noted before its own.

    A decision that came between Kedge's reading and its writing is not in the notes: nobody is named for it then, because
    the registry has forgotten who it was.

    Parameters
    ----------
    changed : LastDecision
        The last change, as the registry says it; `by` is empty where it does not say who made it.
    notes : Mapping of str to str
        The package's metadata.
    status, comment : str
        The approval status and its description now.

    >>> ann = LastDecision(datetime.fromisoformat("2016-01-01T12:00:00+00:00"), "arn:aws:sts::1:assumed-role/Approver/ann", "ann")
    >>> notes = notes_of(ann, status="Approved", comment="good", role="Settle")
    >>> kedge = LastDecision(datetime.fromisoformat("2016-01-01T13:00:00+00:00"), "arn:aws:sts::1:assumed-role/Settle/x", "x")
    >>> last_decision(kedge, notes, status="Approved", comment="good") == ann
    True
    >>> last_decision(kedge, notes, status="Rejected", comment="bad")
    LastDecision(at=datetime.datetime(2016, 1, 1, 13, 0, tzinfo=datetime.timezone.utc), by='', person='')
    """
    role = notes.get(SHOWN_BY)
    if role is None or (changed.by and role_of(changed.by) != role):
        return changed
    if notes.get(DECISION) == _digest(status, comment):
        at = _named(notes.get(DECIDED_AT))
        return LastDecision(from_text(at) if at else None, _named(notes.get(DECIDED_BY)), _named(notes.get(PERSON)))
    return LastDecision(changed.at, "", "")


def role_of(arn: str) -> str:
    """Name the role behind an identity: the session of an assumed role, or the role itself; empty for anything else.

    >>> role_of("arn:aws:sts::1:assumed-role/Settle/kedge-settle"), role_of("arn:aws:iam::1:role/path/Settle"), role_of("ann")
    ('Settle', 'Settle', '')
    """
    kind, _, name = arn.rpartition(":")[2].partition("/")
    if kind == "assumed-role":
        return name.partition("/")[0]
    return name.rpartition("/")[2] if kind == "role" else ""


def _digest(status: str, comment: str) -> str:
    return hashlib.sha256(f"{status}\n{comment}".encode()).hexdigest()[:16]


def _named(note: str | None) -> str:
    return "" if note in (None, _NOBODY) else str(note)
