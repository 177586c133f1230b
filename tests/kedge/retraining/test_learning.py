"""A training job gets rows to learn from and others that say how well, in the form that its trainer reads."""

import json

import pyarrow as pa
import pytest

from kedge.config.reading import parse_model_config
from kedge.retraining.learning import apart, learning_files

YAML = "{model: m, endpoint: {name: e}, features: [{name: b, kind: numeric}, {name: a, kind: numeric}], training: {%s}}"
COUNT = 2000


def config_of(training):
    return parse_model_config(YAML % training, source="m.yaml")


def rows(count=COUNT):
    return pa.table(
        {
            "kedge_row_id": [f"r{number}" for number in range(count)],
            "kedge_time": pa.array([count - number for number in range(count)], pa.timestamp("s", "UTC")),
            "a": [float(number) for number in range(count)],
            "b": [None] * count,
            "label": ["1" if number % 2 else "0" for number in range(count)],
        }
    )


def ids(table):
    return table.column("kedge_row_id").to_pylist()


@pytest.mark.parametrize("kept", ["newest", "random"])
def test_every_row_is_on_one_side_and_the_order_stays(kept):
    learnt, checked = apart(rows(), config_of(f"validation_fraction: 0.25, validation_rows: {kept}"))
    assert sorted(ids(learnt) + ids(checked)) == sorted(ids(rows()))
    assert checked.num_rows / COUNT == pytest.approx(0.25, abs=0.04)
    for part in (learnt, checked):
        assert ids(part) == [identity for identity in ids(rows()) if identity in {*ids(part)}]


def test_the_newest_rows_are_kept_apart():
    learnt, checked = apart(rows(), config_of("validation_fraction: 0.1"))
    assert min(checked.column("kedge_time").to_pylist()) > max(learnt.column("kedge_time").to_pylist())
    assert checked.num_rows == COUNT // 10


def test_a_random_row_stays_on_its_side_when_others_come():
    config = config_of("validation_fraction: 0.3, validation_rows: random")
    before, after = ({*ids(apart(rows(count), config)[1])} for count in (500, COUNT))
    assert before == {identity for identity in after if int(identity[1:]) < 500}


def test_without_a_fraction_all_is_learnt_from():
    files = learning_files(rows(), config_of(""))
    assert [*files] == ["train/train.csv", "train/columns.json"]
    assert files["train/train.csv"][1].num_rows == COUNT


def test_a_script_reads_both_files_with_a_header():
    files = learning_files(rows(), config_of("validation_fraction: 0.5"))
    assert json.loads(b"".join(files["train/columns.json"][0]))["label"] == "label"
    for name in ("train/train.csv", "validation/validation.csv"):
        assert b"".join(files[name][0]).startswith(b"kedge_row_id,kedge_time,a,b,label\n")


def test_an_algorithm_reads_the_label_first_then_the_features_in_the_payloads_order():
    files = learning_files(rows(2), config_of("algorithm: xgboost"))
    assert {name: b"".join(content) for name, (content, _) in files.items()} == {"train/train.csv": b"0,,0.0\n1,,1.0\n"}
