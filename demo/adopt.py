"""`make demo-adopt`: an endpoint that somebody else deployed is adopted, watched for six weeks, and drifts in the fourth."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

from rich.console import Console

from app import build_app
from cli.adopt.adoption import Wish, plan_adoption
from cli.adopt.writing import write_adoption
from cli.operator.deployment import Deployment
from cli.operator.timeline import print_timeline
from demo.other_team import BUCKET, ENDPOINT, OtherTeam
from lambdas.adapters.bucket.timeline import load_timeline
from offline.account import Account

OUT = Path("build/demo-adopt")
START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
CAPTURED, DRIFTS, WATCHED = timedelta(days=14), timedelta(weeks=3), timedelta(weeks=6)
NAMES = ("amount", "items", "country")
# What a person adds to the YAML that was drafted: the pace at which they want to hear.
PACE = "cadence: {profile: daily, judge: weekly}\n"


def main() -> int:
    """Run it, show what was found, and fail if anything of the endpoint was touched."""
    console, began = Console(highlight=False), perf_counter()
    shutil.rmtree(OUT, ignore_errors=True)
    yaml = OUT / "models" / f"{ENDPOINT}.yaml"
    yaml.parent.mkdir(parents=True)
    build_app(OUT / "empty", yaml.parent).synth()
    with Account(start=START - timedelta(hours=1), directory=OUT / "account") as account:
        account.deploy(OUT / "empty")
        team = answering_endpoint(account, console)
        before = team.looks()
        deployment = Deployment(region=account.region, endpoint_url=account.serve(0).url)
        adopt(deployment, yaml, console)
        build_app(OUT / "assembly", yaml.parent, capture_buckets=BUCKET).synth()
        account.deploy(OUT / "assembly")
        drift(account, team)
        console.print(f"\n[bold]six weeks later[/bold], and the last three drift (`kedge history {ENDPOINT}`):")
        entries = load_timeline(deployment.client("s3"), deployment.bucket, ENDPOINT)
        print_timeline(entries)
        touched = team.looks() != before
        mails = sorted(account.mail_directory.glob("*.eml"))
    told = any(entry["kind"] == "alert_sent" for entry in entries)
    console.print(
        f"\nthe endpoint is {'CHANGED' if touched else 'as it was'}; the mails ({len(mails)}) are in {OUT / 'account' / 'mail'}"
    )
    console.print(f"{perf_counter() - began:.0f} seconds")
    return 0 if told and not touched else 1


def answering_endpoint(account: Account, console: Console) -> OtherTeam:
    """The other team's endpoint, once it has answered long enough to be adopted."""
    team = OtherTeam(account)
    team.deploy()
    account.clock.advance_to(START)
    team.ask_until(START + CAPTURED)
    console.print(
        f"[bold]an endpoint[/bold] of another team has answered for {CAPTURED.days} days; Kedge knows nothing of it"
    )
    return team


def drift(account: Account, team: OtherTeam) -> None:
    """Weeks as before, then weeks of larger amounts, each judged in its turn."""
    adopted = START + CAPTURED
    team.ask_until(adopted + DRIFTS)
    team.ask_until(adopted + WATCHED, amount=75.0)
    account.clock.advance_to(adopted + WATCHED + timedelta(hours=6))


def adopt(deployment: Deployment, yaml: Path, console: Console) -> None:
    """What a person types: adopt to look, correct the YAML, adopt to write."""
    wish = Wish("endpoint", ENDPOINT, ENDPOINT, None, None, CAPTURED.days, yaml)
    text = plan_adoption(deployment, wish).yaml
    for place, name in enumerate(NAMES):
        text = text.replace(f"feature_{place}", name)
    yaml.write_text(text + PACE, encoding="utf-8")
    found = plan_adoption(deployment, wish)
    write_adoption(deployment, found, yaml)
    console.print(
        f"[bold]kedge adopt {ENDPOINT} --apply[/bold]: {found.baseline_of}, as {found.champion.package_version}"
    )
    for note in found.notes:
        console.print(f"- {note}")


if __name__ == "__main__":
    sys.exit(main())
