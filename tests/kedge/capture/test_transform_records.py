"""Input and output of a transform job become captured records, or are refused with a reason; no row stands beside another's answer."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from kedge.capture.records import parse_capture
from kedge.capture.transform_filters import read_filter
from kedge.capture.transform_jobs import Manifest, TransformJob, input_of, read_manifest
from kedge.capture.transform_records import Side, split_lines, transform_records
from kedge.config.model import ModelConfig
from kedge.config.sections import Capture, Endpoint, Feature
from kedge.errors import UnreadableTransformError
from kedge.own_columns import ROW_ID, TIME

BEGAN = datetime(2026, 3, 2, 1, 2, 3, tzinfo=UTC)
SEEN = "2026-03-02T01:02:03Z"


def marked(document):
    return json.dumps({**document, "SageMakerInferenceId": "id-1", "SageMakerInferenceTime": SEEN})


def config(**endpoint):
    features = (Feature(name="age", kind="numeric"), Feature(name="plan", kind="categorical"))
    capture = Capture(uri="s3://box/captures")
    return ModelConfig(
        model="m",
        mode="watch",
        source="batch_transform",
        capture=capture,
        features=features,
        endpoint=Endpoint(**endpoint),
    )


def job(**more):
    processing = {name: more.pop(name) for name in ("JoinSource", "InputFilter", "OutputFilter") if name in more}
    described = {
        "TransformJobName": "j",
        "ModelName": "model",
        "TransformJobStatus": "Completed",
        "TransformStartTime": BEGAN,
        "TransformEndTime": BEGAN.replace(minute=9),
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3Uri": "s3://box/in/"}},
            "SplitType": more.pop("SplitType", "Line"),
            "CompressionType": more.pop("CompressionType", "None"),
        },
        "TransformOutput": {"S3OutputPath": "s3://box/out"},
        "DataProcessing": processing,
        "DataCaptureConfig": {"DestinationS3Uri": "s3://box/captures/", "GenerateInferenceId": more.pop("ids", False)},
    }
    assert not more
    return TransformJob.of_description(described)


def side(text: str) -> Side:
    content = text.encode()
    return Side(len(content), lambda: split_lines([content[:5], content[5:]]))


def rows(given, asked, answered, of=None):
    """Ids and values as the one reader reads them."""
    lines = [line for _, line in transform_records(given, "f", side(asked), side(answered), of or config())]
    batch = parse_capture(b"\n".join(lines), of or config(), "output/2026/03/02/01/x.json#0")
    assert batch.quarantined == ()
    assert set(batch.table.column(TIME).to_pylist()) == {BEGAN}
    names = [ROW_ID, "age", "plan", "prediction"]
    return list(zip(*(batch.table.column(name).to_pylist() for name in names), strict=True))


def test_lines_that_are_not_joined_are_paired_in_their_order():
    assert rows(job(), "41,gold\n22,basic\n", "0.1\n0.9\n") == [
        ("j/f/1", "41", "gold", "0.1"),
        ("j/f/2", "22", "basic", "0.9"),
    ]


@pytest.mark.parametrize(
    ("given", "asked", "answered"),
    [
        ({"ids": True}, "41,gold\n", f"0.1,id-1,{SEEN}\n"),
        ({"ids": True, "JoinSource": "Input"}, "41,gold\n", f"41,gold,0.1,id-1,{SEEN}\n"),
        ({"ids": True, "JoinSource": "Input", "InputFilter": "$[1:]"}, "c7,41,gold\n", f"c7,41,gold,0.1,id-1,{SEEN}\n"),
        ({"ids": True}, '{"age": 41, "plan": "gold"}', marked({"prediction": 0.1})),
        (
            {"ids": True, "JoinSource": "Input", "InputFilter": "$.row"},
            '{"id": 7, "row": {"age": 41, "plan": "gold"}}',
            marked({"id": 7, "row": {}, "SageMakerOutput": {"score": 0.1}}),
        ),
        ({"ids": True}, "41,gold\n", marked({"SageMakerOutput": [0.1]})),
    ],
)
def test_the_id_that_sagemaker_made_is_the_rows_own(given, asked, answered):
    assert rows(job(**given), asked, answered) == [("id-1", "41", "gold", "0.1")]


def test_one_document_has_one_id_for_all_its_rows():
    asked = json.dumps({"instances": [[41, "gold"], [22, "basic"]]})
    fields = {"SageMakerInferenceId": "id-1", "SageMakerInferenceTime": SEEN}
    answered = json.dumps({"SageMakerOutput": {"predictions": [0.1, 0.9]}, "instances": [], **fields}, indent=1)
    found = rows(job(ids=True, JoinSource="Input", SplitType="None"), asked, answered)
    assert found == [("id-1/0", "41", "gold", "0.1"), ("id-1/1", "22", "basic", "0.9")]


def test_a_request_of_several_lines_may_be_answered_by_one_document():
    assert [row[3] for row in rows(job(SplitType="None"), "41,gold\n22,basic", "[0.1, 0.9]")] == ["0.1", "0.9"]


def test_a_header_line_is_no_row():
    assert [row[1] for row in rows(job(SplitType="None"), "age,plan\n41,gold\n22,basic\n", "0.1\n0.9\n")] == [
        "41",
        "22",
    ]


def test_a_cut_output_is_read_where_the_yaml_says_by_its_place_in_the_output():
    of = config(probability_attribute=1)
    found = rows(job(JoinSource="Input", OutputFilter="$[0,-1]", InputFilter="$[1:]"), "c7,41,gold\n", "c7,0.1\n", of)
    assert found == [("j/f/1", "41", "gold", "0.1")]


@pytest.mark.parametrize(
    ("given", "asked", "answered", "said"),
    [
        ({}, "1,a\n2,b\n3,c\n", "0.1\n0.2\n", "its input has 3 lines and its output 2"),
        ({"JoinSource": "Input", "OutputFilter": "$[0,-1]"}, "1,a\n", "1,0.1\n", "it cuts its output"),
        ({"JoinSource": "Input"}, "9,a\n", "1,a,0.1\n", "joined with another input"),
        ({"CompressionType": "Gzip"}, "1,a\n", "0.1\n", "compressed"),
        ({"InputFilter": "$..a"}, "1,a\n", "0.1\n", "which Kedge cannot follow"),
        ({"ids": True}, "1,a\n", "0.1\n", "no id and time"),
        ({"ids": True}, "1,a\n", "0.1,id,2026-03-01T01:00:00Z\n", "another job's"),
    ],
)
def test_what_cannot_be_paired_is_refused_with_the_reason(given, asked, answered, said):
    with pytest.raises(UnreadableTransformError, match=said):
        rows(job(**given), asked, answered)


def test_an_empty_answer_costs_its_own_row_only():
    lines = [line for _, line in transform_records(job(), "f", side("1,a\n2,b\n3,c\n"), side("0.1\n\n0.3\n"), config())]
    batch = parse_capture(b"\n".join(lines), config(), "output/2026/03/02/01/x.json#0")
    assert batch.table.column("age").to_pylist() == ["1", "3"]
    assert len(batch.quarantined) == 1


@pytest.mark.parametrize("content", [b"{}", b"[]", b'["a"]', b"x", b'[{"prefix": 1}]', b'[{"prefix": "s3://box/"}, 3]'])
def test_what_is_no_manifest_is_refused(content):
    with pytest.raises(UnreadableTransformError):
        read_manifest(content)


def test_the_input_is_found_in_the_manifest_of_the_same_job():
    def named(prefix):
        return Manifest("c/input/2026/03/02/01/x.json", "e", BEGAN, prefix, ("a.csv",))

    others = [named("s3://box/other/"), named("s3://box/in/")]
    assert input_of("a.csv.out", others, job()) == "s3://box/in/a.csv"
    assert input_of("z.csv.out", others, job()) is None


def test_a_manifest_is_the_jobs_whose_destination_output_and_hour_it_has():
    def written(hour, prefix="s3://box/out/"):
        return Manifest(f"captures/output/2026/03/02/{hour}/x.json", "e", BEGAN, prefix, ())

    assert job().wrote(written("01"), "s3://box/captures")
    assert not job().wrote(written("02"), "s3://box/captures")
    assert not job().wrote(written("01", "s3://box/elsewhere/"), "s3://box/captures")
    assert not job().wrote(written("01"), "s3://box/others")


@pytest.mark.parametrize(
    ("path", "found"),
    [("$", [1, 2, 3]), ("$[0]", 1), ("$[1:]", [2, 3]), ("$[:-1]", [1, 2]), ("$[0,-1]", [1, 3])],
)
def test_filters_over_columns(path, found):
    assert read_filter(path, "InputFilter")([1, 2, 3]) == found


def test_kedges_own_scoring_jobs_capture_nothing_and_so_are_never_counted():
    described = {
        "TransformJobName": "kedge-m-champion",
        "ModelName": "m",
        "TransformJobStatus": "Completed",
        "TransformInput": {"DataSource": {"S3DataSource": {"S3Uri": "s3://data/retraining/m/r/holdout/input/"}}},
        "TransformOutput": {"S3OutputPath": "s3://box/out"},
        "TransformStartTime": BEGAN,
    }
    manifest = SimpleNamespace(prefix="s3://box/out/", hour=BEGAN.replace(minute=0, second=0))
    assert not TransformJob.of_description(described).wrote(manifest, "s3://box/captures")


@pytest.mark.parametrize(
    ("given", "asked", "answered"),
    [
        ({"InputFilter": "$.row"}, '{"region": "north", "row": [41, "gold"]}', "0.1\n"),
        ({}, '{"age": 41, "plan": "gold", "region": "north"}', "0.1\n"),
        ({"InputFilter": "$[1:]"}, "region,age,plan\nnorth,41,gold\n", "0.1\n"),
        ({"InputFilter": "$[1:]"}, '"region",age,plan\n"north",41,gold\n', "0.1\n"),
    ],
)
def test_context_is_found_by_its_name_also_where_the_model_does_not_get_it(given, asked, answered):
    of = config().model_copy(update={"context": ("region",)})
    lines = [line for _, line in transform_records(job(**given), "f", side(asked), side(answered), of)]
    table = parse_capture(b"\n".join(lines), of, "output/2026/03/02/01/x.json#0").table
    assert (table.column("region").to_pylist(), table.column("age").to_pylist()) == (["north"], ["41"])


def test_context_without_a_name_in_the_input_is_no_context():
    of = config().model_copy(update={"context": ("region",)})
    assert rows(job(InputFilter="$[1:]"), "north,41,gold\n", "0.1\n", of) == [("j/f/1", "41", "gold", "0.1")]
