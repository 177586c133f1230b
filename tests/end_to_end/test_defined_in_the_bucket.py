"""An endpoint is adopted, changed and retired without a deployment: its YAML lies in the data bucket."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from app import build_app
from cli.main import app
from demo.other_team import BUCKET, ENDPOINT, OtherTeam
from kedge.config.reading import parse_model_config
from offline.account import Account
from tests.end_to_end.hotel import DAY, HOUR, WEEK, Hotel

pytestmark = pytest.mark.slow

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday


class Person:
    """Who types commands, and the YAML beside them."""

    def __init__(self, account: Account, directory: Any) -> None:
        self.url = account.serve(0).url
        self.yaml = directory / "payments.yaml"

    def types(self, *arguments: str) -> Any:
        answer = CliRunner().invoke(app, [*arguments, "--endpoint-url", self.url])
        assert answer.exit_code == 0, answer.output
        return answer


@pytest.fixture
def account(tmp_path) -> Iterator[Account]:
    (tmp_path / "models").mkdir()
    build_app(tmp_path / "assembly", tmp_path / "models", capture_buckets=BUCKET).synth()
    with Account(start=START - HOUR, directory=tmp_path / "account") as account:
        account.deploy(tmp_path / "assembly")
        yield account


def judged(kedge: Hotel) -> int:
    return len(kedge.timeline("window_judged"))


def test_it_is_judged_from_the_next_tick_changed_without_a_deployment_and_retired(account, tmp_path):
    team, person = OtherTeam(account), Person(account, tmp_path)
    team.deploy()
    account.clock.advance_to(START)
    team.ask_until(START + 3 * DAY)
    said = person.types("adopt", ENDPOINT, "--baseline-days", "2", "--out", str(person.yaml), "--to-bucket", "--apply")
    assert "make deploy" not in said.output.replace("and deploy", "")
    kedge = Hotel(account, parse_model_config(person.yaml.read_text(), source="payments.yaml"), None)
    assert kedge.objects(f"models/{ENDPOINT}.yaml")

    # Drafted with a daily cadence; the first window after the baseline is judged at the next tick.
    team.ask_until(START + 6 * DAY + 3 * HOUR, amount=75.0)
    assert judged(kedge) >= 1
    assert kedge.mails_saying("feature_0", "drifted")

    # Another cadence, by one command.
    person.yaml.write_text(f"{person.yaml.read_text()}\ncadence: {{judge: weekly}}\n")
    person.types("models", "put", str(person.yaml))
    before = judged(kedge)
    team.ask_until(START + WEEK - HOUR, amount=75.0)
    assert judged(kedge) == before
    team.ask_until(START + WEEK + 3 * HOUR, amount=75.0)
    assert judged(kedge) > before

    person.types("models", "remove", ENDPOINT)
    before = judged(kedge)
    account.clock.advance_to(START + 2 * WEEK + 3 * HOUR)
    assert judged(kedge) == before
    assert kedge.item("champion")
    kinds = [entry["kind"] for name in ("defined", "definition_removed") for entry in kedge.timeline(name)]
    assert kinds == ["defined", "defined", "definition_removed"]
