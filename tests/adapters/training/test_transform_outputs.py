"""Answers of two models join by id, whatever order they came in; anything unequal is refused."""

import io
import traceback

import pytest

from kedge.config.reading import parse_model_config
from kedge.errors import HoldoutCountMismatchError, UnreadableAnswerError
from lambdas.adapters.training.transform_outputs import ANSWER_BYTES_MAX, Answered, align_answers, load_answers
from lambdas.adapters.training.transform_outputs import parse_answers as parse_opened
from tests.adapters.aws import moto_client

YAML = """
model: m
endpoint: {{name: e, content_type: {kind}}}
features: [{{name: x, kind: numeric}}]
prediction: {{field: {field}}}
"""
CSV = parse_model_config(YAML.format(kind="text/csv", field=0), source="m")
JSON = parse_model_config(YAML.format(kind="application/json", field=0), source="m")


def parse(text, config, *, key):
    return [*parse_opened(io.BytesIO(text.encode()), config, key=key)]


def test_csv_answers_are_read():
    assert plain(parse('r1,0.25\n"a,b",1e-05\n', CSV, key="k")) == [("r1", 0.25), ("a,b", 1e-05)]


def test_a_csv_answer_stands_first_whatever_its_place_in_the_endpoints_answer():
    # The job's output filter has taken the other fields away.
    behind = parse_model_config(YAML.format(kind="text/csv", field=2), source="m")
    assert plain(parse("r1,0.25\n", behind, key="k")) == [("r1", 0.25)]


def test_json_answers_are_read():
    text = (
        '{"id": "r1", "SageMakerOutput": {"predictions": [0.25]}}\n'
        '{"id": "r2", "SageMakerOutput": {"predictions": [[0.5]]}}\n'
    )
    assert plain(parse(text, JSON, key="k")) == [("r1", 0.25), ("r2", 0.5)]


def test_a_class_of_several_stays_text_and_its_probabilities_are_passed_over():
    several = CSV.model_copy(update={"problem": "multiclass_classification"})
    assert plain(parse("r1,cat,0.1,0.9\nr2,7,0.5,0.5\n", several, key="k")) == [("r1", "cat"), ("r2", "7")]
    several = JSON.model_copy(update={"problem": "multiclass_classification"})
    text = '{"id": "r1", "SageMakerOutput": {"predictions": [["cat", 0.1, 0.9]]}}\n'
    assert plain(parse(text, several, key="k")) == [("r1", "cat")]


def several_with_probabilities(kind):
    text = YAML.format(kind=kind, field=0).replace("prediction: {", "prediction: {probabilities: [p_cat, p_dog], ")
    several = "\nproblem: multiclass_classification\nlabels: {classes: [cat, dog]}"
    return parse_model_config(text + several, source="m")


def test_probabilities_that_the_yaml_names_are_read_behind_the_class_or_by_their_names():
    csv, json = several_with_probabilities("text/csv"), several_with_probabilities("application/json")
    assert parse("r1,cat,0.9,0.1\n", csv, key="k") == [Answered("r1", "cat", (0.9, 0.1))]
    listed = '{"id": "r1", "SageMakerOutput": {"predictions": [["cat", 0.9, 0.1]]}}\n'
    named = '{"id": "r1", "SageMakerOutput": {"p_dog": 0.1, "prediction": "cat", "p_cat": 0.9}}\n'
    assert parse(listed + named, json, key="k") == [Answered("r1", "cat", (0.9, 0.1))] * 2


def test_an_answer_that_lacks_a_probability_is_kept_without_it():
    (short,) = parse("r1,cat,0.9\n", several_with_probabilities("text/csv"), key="k")
    assert short.value == "cat"
    assert short.probabilities == pytest.approx((0.9, float("nan")), nan_ok=True)


def plain(answers):
    """Ids and answers."""
    return [(answer.row_id, answer.value) for answer in answers]


@pytest.mark.parametrize(("config", "line"), [(CSV, "r1,high"), (CSV, "r1"), (JSON, "r1"), (JSON, '{"id": "r1"}')])
def test_a_line_that_is_no_answer_is_named_by_its_number_and_not_quoted(config, line):
    good = "r0,0.5\n" if config is CSV else '{"id": "r0", "SageMakerOutput": {"predictions": [0.5]}}\n'
    with pytest.raises(UnreadableAnswerError, match="line 2 of k") as raised:
        parse(good + line + "\n", config, key="k")
    assert "r1" not in "".join(traceback.format_exception(raised.value)).partition("UnreadableAnswerError:")[2]
    assert raised.value.__suppress_context__


def test_answers_take_the_holdouts_order():
    aligned = align_answers([Answered("b", 2.0), Answered("a", 1.0)], ["a", "b"], scored_by="champion")
    assert [answer.value for answer in aligned] == [1.0, 2.0]


@pytest.mark.parametrize(
    "text", ["r1," + "0" * ANSWER_BYTES_MAX + "\n", 'r1,"0.5\n' + "0\n" * 200_000, "r1,0.5\udcff\n"]
)
def test_a_line_that_no_script_should_answer_is_refused_by_its_place(text):
    with pytest.raises(UnreadableAnswerError, match=r"line \d+ of k is not"):
        [*parse_opened(io.BytesIO(text.encode(errors="surrogateescape")), CSV, key="k")]


def test_no_more_answers_are_read_than_can_be_aligned():
    with moto_client("s3") as s3:
        s3.create_bucket(Bucket="data-bucket")
        for part in range(3):
            s3.put_object(Bucket="data-bucket", Key=f"run/champion/part{part}.csv.out", Body=b"r1,0.5\n" * 1000)
        assert len(load_answers(s3, "data-bucket", "run/champion", CSV, rows=100)) == 201


@pytest.mark.parametrize(
    "answers",
    [
        [("a", 1.0)],
        [("a", 1.0), ("b", 2.0), ("c", 3.0)],
        [("a", 1.0), ("b", 2.0), ("b", 2.0)],
        [("a", 1.0), ("x", 1.0)],
    ],
)
def test_unequal_counts_are_refused(answers):
    with pytest.raises(HoldoutCountMismatchError, match="the challenger gave") as raised:
        align_answers([Answered(*answer) for answer in answers], ["a1b2c3", "b"], scored_by="challenger")
    assert "a1b2c3" not in str(raised.value)


def test_every_output_file_is_read_and_other_objects_are_not():
    with moto_client("s3") as s3:
        s3.create_bucket(Bucket="data-bucket")
        s3.put_object(Bucket="data-bucket", Key="run/champion/input.csv.out", Body=b"r1,0.5\n")
        s3.put_object(Bucket="data-bucket", Key="run/champion/part2.csv.out", Body=b"r2,0.6\n")
        s3.put_object(Bucket="data-bucket", Key="run/champion/_SUCCESS", Body=b"")
        s3.put_object(Bucket="data-bucket", Key="run/champion-other/input.csv.out", Body=b"r3,0.7\n")
        assert plain(load_answers(s3, "data-bucket", "run/champion", CSV, rows=2)) == [("r1", 0.5), ("r2", 0.6)]
