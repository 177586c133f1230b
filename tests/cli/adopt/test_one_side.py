"""An endpoint that captures only its requests, or only its answers, is adopted, and what cannot be judged is said."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kedge.config.reading import parse_model_config
from lambdas.adapters.bucket import baselines
from lambdas.adapters.state import champions
from tests.cli.adopt.other_team import ENDPOINT, adopt, captured, deploy
from tests.handlers.aws_world import BUCKET, TABLE

SIDES = {
    "Input": ("endpointOutput", "captures only its requests (CaptureMode Input): drift of the answers"),
    "Output": ("endpointInput", "captures only its answers (CaptureMode Output): drift of the features"),
}


def one_sided(world, mode):
    deploy(world, modes=[{"CaptureMode": mode}])
    captured(world, without=SIDES[mode][0])


def baseline_of(world):
    champion = champions.load(world.dynamodb, TABLE, ENDPOINT)
    return baselines.load_baseline(world.s3, BUCKET, ENDPOINT, champion.baseline)


@pytest.mark.parametrize("mode", ["Input", "Output"])
def test_one_side_is_adopted_and_the_yaml_and_the_command_say_so(world, tmp_path, mode):
    one_sided(world, mode)
    done, out = adopt(tmp_path, "--apply")
    assert done.exit_code == 0, done.output
    assert SIDES[mode][1] in done.output
    config = parse_model_config(out.read_text(), source=out.name)
    assert (config.capture.mode, len(config.features)) == (mode, 3 if mode == "Input" else 0)
    roles = [column.role for column in baseline_of(world).columns]
    assert roles == (["feature"] * 3 if mode == "Input" else ["prediction"])
    assert baseline_of(world).profile.rows == 280


def test_training_rows_with_answers_are_the_baseline_of_answers_alone(world, tmp_path):
    one_sided(world, "Output")
    rows = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"x": [1, 2] * 200, "prediction": [0.2, 0.7] * 200, "label": ["0", "1"] * 200}), rows)
    done, _ = adopt(tmp_path, "--baseline", rows, "--label", "label", "--apply")
    assert done.exit_code == 0, done.output
    assert baseline_of(world).profile.rows == 400
    champion = champions.load(world.dynamodb, TABLE, ENDPOINT)
    assert baselines.load_reference(world.s3, BUCKET, ENDPOINT, champion.baseline).counts.rows == 400


def test_training_rows_without_answers_are_no_baseline_of_answers(world, tmp_path):
    one_sided(world, "Output")
    rows = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"x": [1, 2] * 200}), rows)
    refused, _ = adopt(tmp_path, "--baseline", rows, "--apply")
    assert refused.exit_code == 2
    assert "has no column prediction, and only the answers are captured" in refused.stderr


def test_a_yaml_that_expects_both_sides_is_refused(world, tmp_path):
    one_sided(world, "Input")
    _, out = adopt(tmp_path, "--apply")
    out.write_text(out.read_text().replace("  mode: Input\n", ""))
    refused, _ = adopt(tmp_path, "--model", "other")
    assert refused.exit_code == 2
    assert "capture.mode is InputAndOutput, not Input" in refused.stderr
