"""`kedge doctor`: a checklist of the deployed Kedge, with a remedy beside each fault."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.doctor.findings import Verdict, exit_code
from cli.models import DIRECTORY as MODELS
from cli.operator.commands import EndpointUrl, Region
from cli.refusals import in_a_sentence


class DoctorFailsOn(StrEnum):
    """The verdict from which the exit code is 1."""

    WARNING = "warning"
    FAILED = "failed"


def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print every finding: check, subject, verdict, reason, remedy.")
    ] = False,
    fail_on: Annotated[
        DoctorFailsOn, typer.Option(help="The verdict from which the exit code is 1.")
    ] = DoctorFailsOn.FAILED,
    models: Annotated[Path, typer.Option(help="Folder with a YAML per model.", show_default="models")] = MODELS,
    profile: Annotated[
        str | None, typer.Option(help="AWS profile of your credentials.", show_default="AWS_PROFILE")
    ] = None,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Check the deployed Kedge, and say how to correct each fault. Run it first after a deployment.

    Exit code 0: nothing failed; 1: something failed; 2: nothing failed, but a check could not look
    (a permission is missing, or nothing is deployed here).

    It changes nothing: each function is invoked with an empty event, which it answers at once.
    """
    with in_a_sentence("doctor"):
        from cli.doctor import examine
        from cli.doctor.checklist import print_checklist
        from cli.operator.deployment import Deployment

        findings = examine(Deployment(region=region, endpoint_url=endpoint_url, profile=profile), models)
    if as_json:
        order = ("check", "subject", "verdict", "reason", "remedy")
        documents = [asdict(finding) for finding in findings]
        typer.echo(json.dumps([{name: document[name] for name in order} for document in documents], indent=2))
    else:
        print_checklist(findings)
    if code := exit_code(findings, fail_on=Verdict(fail_on)):
        raise typer.Exit(code)
