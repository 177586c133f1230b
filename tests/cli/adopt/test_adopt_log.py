"""`kedge adopt MODEL --source log` drafts the YAML from the log's records, and freezes the baseline from its first days."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import time_machine
from typer.testing import CliRunner

from cli.main import app
from cli.operator.deployment import Deployment
from kedge.config.reading import parse_model_config
from lambdas.adapters.bucket import baselines
from lambdas.adapters.state import champions
from tests.handlers.aws_world import BUCKET, TABLE, aws_world
from tests.logs import as_gzip, log_record

BEGUN, NOW = datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 20, 12, 30, tzinfo=UTC)


@pytest.fixture
def world(monkeypatch):
    with time_machine.travel(NOW, tick=False), aws_world(monkeypatch) as world:
        for name, value in {"bucket": BUCKET, "table": TABLE, "now": NOW}.items():
            monkeypatch.setattr(Deployment, name, value)
        yield world


def logged(world, days=18):
    random = np.random.default_rng(3)
    for day in range(days):
        time = BEGUN + timedelta(days=day)
        records = [log_record(f"{day}-{n}", time, prediction=round(float(random.uniform()), 3)) for n in range(20)]
        world.put(f"logs/parcels/{time:%Y/%m/%d/%H}/a", as_gzip(records))


def adopt(tmp_path, *options):
    out = tmp_path / "parcels.yaml"
    return CliRunner().invoke(app, ["adopt", "parcels", "--source", "log", "--out", str(out), *options]), out


def test_the_dry_run_writes_nothing(world, tmp_path):
    logged(world)
    shown, out = adopt(tmp_path)
    assert shown.exit_code == 0, shown.output
    assert "source: log" in shown.output
    assert not out.exists()
    assert champions.load(world.dynamodb, TABLE, "parcels") is None


def test_the_drafted_yaml_is_one_that_kedge_can_follow(world, tmp_path):
    logged(world)
    done, out = adopt(tmp_path, "--apply")
    assert done.exit_code == 0, done.output
    config = parse_model_config(out.read_text(), source=out.name)
    assert (config.source, config.mode, config.problem) == ("log", "watch", "binary_classification")
    kinds = [(feature.name, feature.kind) for feature in config.features]
    assert kinds == [("weight", "numeric"), ("items", "numeric"), ("carrier", "categorical")]
    champion = champions.load(world.dynamodb, TABLE, "parcels")
    assert champion.promoted_at == BEGUN + timedelta(days=14)
    assert baselines.load_baseline(world.s3, BUCKET, "parcels", champion.baseline).profile.rows == 280


def test_a_log_that_is_not_there_yet_is_said(world, tmp_path):
    refused, _ = adopt(tmp_path)
    assert refused.exit_code == 2
    assert "nothing is there yet: adopt it once" in refused.stderr.replace("\n", " ")
