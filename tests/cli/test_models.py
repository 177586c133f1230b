"""`kedge models validate` finds in a folder what synth, or a function, would find too late."""

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.builders import YAML


def validate(*arguments):
    return CliRunner().invoke(app, ["models", "validate", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "parcels.yaml").write_text(YAML)
    (tmp_path / "notes.txt").write_text("no model")
    return tmp_path


def test_the_shipped_models_are_valid():
    result = validate()
    assert result.exit_code == 0
    assert "ok  hotel-cancellations.yaml: binary_classification, 20 of 20 features watched" in result.output


def test_good_models_are_told_in_a_line_each(folder):
    result = validate(folder)
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "ok  parcels.yaml: binary_classification, 3 of 3 features watched, judged daily over 7 days, endpoint parcels"
    ]


def test_a_window_of_a_day_is_told_as_one(tmp_path):
    (tmp_path / "parcels.yaml").write_text(f"{YAML}\ncadence: {{window_days: 1}}\n")
    assert "over 1 day, endpoint" in validate(tmp_path).output


def test_one_file_may_be_named(folder):
    assert validate(folder / "parcels.yaml").exit_code == 0


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("other.yaml", YAML + "drift: {psi_mx: 1}", "drift.psi_mx is not a field; did you mean psi_max?"),
        ("other.yaml", YAML, "the model 'parcels' belongs in parcels.yaml"),
        ("quick.yaml", YAML.replace("model: parcels", "model: quick"), "is watched by parcels.yaml already"),
        ("zebra.yml", YAML.replace("parcels", "zebra"), "belongs in zebra.yaml"),
        ("other.yaml", "a: [", "not YAML"),
    ],
)  # fmt: skip
def test_a_bad_model_is_named_with_its_file_and_the_good_ones_are_still_told(folder, name, text, words):
    (folder / name).write_text(text)
    result = validate(folder)
    assert result.exit_code == 2
    assert words in result.output
    assert name in result.output
    assert "ok  parcels.yaml" in result.output


def test_a_file_that_is_no_text_is_named(folder):
    (folder / "bytes.yaml").write_bytes(b"model: caf\xe9")
    result = validate(folder)
    assert result.exit_code == 2
    assert "bytes.yaml: this is not text in UTF-8" in result.output


@pytest.mark.parametrize(
    ("place", "words"), [("absent", "no such file or folder"), ("empty", "`kedge init` writes one")]
)
def test_a_folder_without_models_is_bad_input(tmp_path, place, words):
    (tmp_path / "empty").mkdir()
    result = validate(tmp_path / place)
    assert result.exit_code == 2
    assert words in result.stderr


def test_models_of_transform_jobs_are_told_by_where_these_capture_and_one_place_has_one_model(folder):
    jobs = "mode: watch\nsource: batch_transform\ncapture: {uri: 's3://theirs/nightly'}"
    (folder / "parcels.yaml").write_text(YAML.replace("endpoint: {name: parcels}", jobs))
    assert "watched only, binary_classification" in validate(folder).output
    assert "transform jobs below s3://theirs/nightly" in validate(folder).output
    (folder / "quick.yaml").write_text((folder / "parcels.yaml").read_text().replace("model: parcels", "model: quick"))
    result = validate(folder)
    assert result.exit_code == 2
    assert "its transform jobs below s3://theirs/nightly is watched by parcels.yaml already" in result.output
