"""`kedge doctor`: whether the deployed Kedge can do its work. A check is a file here and a line in `checks.CHECKS`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cli.doctor.findings import Finding, Verdict

if TYPE_CHECKING:
    from cli.doctor.checks.installation import Check, Installation
    from cli.operator.deployment import Deployment

__all__ = ["Finding", "Verdict", "examine"]


def examine(deployment: Deployment, models: Path, *, only: Collection[str] = ()) -> list[Finding]:
    """Make every check, or only those of these names; `models` is the folder of the YAML files.

    A check that AWS refuses to answer is a finding of its own, and does not stop the others. Without valid credentials
    there is only the first finding.
    """
    from cli.doctor.checks.installation import Installation
    from cli.doctor.every_check import CHECKS

    installation = Installation(deployment, models)
    findings: list[Finding] = []
    for name, check in CHECKS.items():
        if only and name not in only:
            continue
        findings += [replace(finding, check=name) for finding in _looked(check, installation)]
        if name == "credentials" and any(finding.verdict is Verdict.UNKNOWN for finding in findings):
            break
    return findings


def _looked(check: Check, installation: Installation) -> Iterator[Finding]:
    from botocore.exceptions import BotoCoreError, ClientError

    from cli.doctor.findings import unknown
    from cli.doctor.refused import could_not_look
    from kedge.errors import RefusedError

    try:
        yield from check(installation)
    except (ClientError, BotoCoreError) as error:
        yield could_not_look(error)
    except RefusedError as error:
        # The error's sentence says where it looked, and what to do.
        yield unknown("Kedge", str(error), "see the checks above, or name the right --models, --region and AWS_PROFILE")
