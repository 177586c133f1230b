"""Requests and answers in every layout that containers use are the same rows, by content and whatever a header says of them."""

import base64
import json

import pytest

from kedge.capture.payloads import input_rows
from kedge.capture.records import parse_capture
from kedge.config.reading import parse_model_config
from kedge.errors import ModelConfigError
from tests.builders import capture_record, json_lines

KEY = "capture/m/1/e/AllTraffic/2026/03/02/10/a.jsonl"
YAML = """
model: m
problem: {problem}
endpoint: {{name: e{endpoint}}}
features:
  - {{name: age, kind: numeric}}
  - {{name: plan, kind: categorical}}
prediction: {{{prediction}}}
labels: {{classes: [{classes}]}}
"""
SEVERAL = {
    "problem": "multiclass_classification",
    "classes": "cat, dog, cow",
    "prediction": "probabilities: [p_cat, p_dog, p_cow]",
}


def config_of(*, problem="binary_classification", endpoint="", prediction="", classes="'0', '1'"):
    text = YAML.format(
        problem=problem, endpoint=f", {endpoint}" if endpoint else "", prediction=prediction, classes=classes
    )
    return parse_model_config(text, source="m.yaml")


def record(given, came, *, header=("", "BASE64")):
    """A record whose sides are these texts, or JSON of these values, under this content type and encoding."""
    content_type, encoding = header
    texts = [side if isinstance(side, str) else json.dumps(side) for side in (given, came)]
    if encoding == "BASE64":
        texts = [base64.b64encode(text.encode()).decode() for text in texts]
    found = capture_record(*texts)
    for side in found["captureData"].values():
        side |= {"encoding": encoding, "observedContentType": content_type}
    return found


def read(given, came, config=None, **how):
    config = config or config_of()
    batch = parse_capture(json_lines(record(given, came, **how)), config, KEY)
    assert batch.quarantined == ()
    rows = batch.table.to_pylist()
    return [tuple(row[name] for name in (*config.feature_names, *config.answer_columns)) for row in rows]


def reason(given, came, config=None, **how):
    batch = parse_capture(json_lines(record(given, came, **how)), config or config_of(), KEY)
    assert batch.table.num_rows == 0
    return batch.quarantined[0].reason


ROWS = [[41, "gold"], [22, "basic"]]
RECORDS = [{"age": 41, "plan": "gold"}, {"plan": "basic", "age": 22, "more": 1}]
REQUESTS = {
    "instances of lists": {"instances": ROWS},
    "instances of objects": {"instances": RECORDS, "parameters": {"k": 1}},
    "instances of features": {"instances": [{"features": row} for row in ROWS]},
    "Linear Learner": {"instances": [{"data": {"features": {"values": row}}} for row in ROWS]},
    "dataframe_split": {
        "dataframe_split": {"index": [0, 1], "columns": ["plan", "age"], "data": [["gold", 41], ["basic", 22]]}
    },
    "pandas split": {"columns": ["age", "plan"], "index": [0, 1], "data": ROWS},
    "dataframe_records": {"dataframe_records": RECORDS},
    "inputs of objects": {"inputs": RECORDS},
    "inputs by column": {"inputs": {"age": [[41], [22]], "plan": [["gold"], ["basic"]]}},
    "data": {"data": ROWS},
    "data below a name": {"data": {"names": ["age", "plan"], "ndarray": ROWS}},
    "tensors": {
        "inputs": [{"name": "age", "shape": [2], "data": [41, 22]}, {"name": "plan", "data": ["gold", "basic"]}]
    },
    "one tensor": {"inputs": [{"name": "input-0", "shape": [2, 2], "datatype": "BYTES", "data": ROWS}]},
    "columns": {"age": [41, 22], "plan": ["gold", "basic"]},
    "pandas columns": {"age": {"0": 41, "1": 22}, "plan": {"0": "gold", "1": "basic"}},
    "lists": ROWS,
    "objects": RECORDS,
    "JSON lines of lists": "\n".join(map(json.dumps, ROWS)),
    "JSON lines of objects": "\r\n".join(map(json.dumps, RECORDS)) + "\n",
    "JSON lines of features": "\n".join(json.dumps({"features": row}) for row in ROWS),
    "indented JSON": json.dumps({"instances": ROWS}, indent=2),
    "JSON twice": json.dumps(json.dumps({"instances": ROWS})),
    "CSV": "41,gold\n22,basic\n",
    "CSV with a header": "age,plan\r\n41,gold\r\n22,basic\r\n",
    "CSV with a header in quotes": '"plan","age","more"\n"gold",41,x\n"basic",22,y',
    "CSV with semicolons": "41;gold\n22;basic",
    "CSV with a header and tabs": "age\tplan\n41\tgold\n22\tbasic",
    "a byte order mark": "\ufeffage,plan\n41,gold\n22,basic",
    "a byte order mark before JSON": "\ufeff" + json.dumps(ROWS),
}
HEADERS = [
    ("text/html; charset=utf-8", "BASE64"),
    ("text/plain", "BASE64"),
    ("", "BASE64"),
    (None, "BASE64"),
    ("text/plain", "CSV"),
    ("text/plain", "JSON"),
]


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_of_every_layout_is_the_same_rows(name, header):
    assert read(REQUESTS[name], [0.2, 0.7], header=header) == [("41", "gold", "0.2"), ("22", "basic", "0.7")]


@pytest.mark.parametrize("header", [("application/json", "JSON"), ("application/jsonlines", "JSON")])
@pytest.mark.parametrize("name", [name for name in REQUESTS if "CSV" not in name and "order mark" not in name])
def test_a_request_that_a_header_calls_json_is_the_same_rows(name, header):
    assert read(REQUESTS[name], [0.2, 0.7], header=header) == [("41", "gold", "0.2"), ("22", "basic", "0.7")]


@pytest.mark.parametrize("name", [name for name in REQUESTS if "tabs" not in name and "quotes" not in name])
def test_a_request_without_a_yaml_has_the_same_rows(name):
    rows = input_rows(json_lines(record(REQUESTS[name], [0.2, 0.7])))
    by_name = [
        {name: value[0] if isinstance(value, list) else value for name, value in row.items()}
        for row in rows
        if isinstance(row, dict)
    ]
    assert [[row["age"], row["plan"]] for row in by_name] == [["41", "gold"], ["22", "basic"]] or rows == [
        ["41", "gold"],
        ["22", "basic"],
    ]


ANSWERS = {
    "a list": [0.2, 0.7],
    "lists of one": [[0.2], [0.7]],
    "lists of probabilities": [[0.8, 0.2], [0.3, 0.7]],
    "predictions": {"predictions": [0.2, 0.7]},
    "predictions of probabilities": {"predictions": [[0.8, 0.2], [0.3, 0.7]]},
    "outputs": {"outputs": [[0.2], [0.7]]},
    "outputs by column": {"outputs": {"score": [[0.2], [0.7]], "other": [1, 2]}},
    "tensors": {"outputs": [{"name": "score", "shape": [2], "data": [0.2, 0.7]}]},
    "scores": {"predictions": [{"score": 0.2, "predicted_label": 0}, {"score": 0.7, "predicted_label": 1}]},
    "XGBoost's probabilities": {
        "predictions": [
            {"predicted_label": "0", "labels": ["0", "1"], "probabilities": [0.8, 0.2]},
            {"predicted_label": "1", "labels": ["1", "0"], "probabilities": [0.7, 0.3]},
        ]
    },
    "a label's own probability": [
        {"predicted_label": "0", "probability": 0.8},
        {"predicted_label": "1", "probability": 0.7},
    ],
    "the positive one's probability": [
        {"predicted_label": "0", "probability": 0.2},
        {"predicted_label": "1", "probability": 0.7},
    ],
    "Hugging Face": [{"label": "0", "score": 0.8}, {"label": "1", "score": 0.7}],
    "Hugging Face, all labels": [
        [{"label": "1", "score": 0.2}, {"label": "0", "score": 0.8}],
        [{"label": "1", "score": 0.7}, {"label": "0", "score": 0.3}],
    ],
    "columns": {"prediction": [0.2, 0.7]},
    "columns of probabilities": {"predictions": [0, 1], "probabilities": [[0.8, 0.2], [0.3, 0.7]]},
    "by class": [{"probabilities": {"0": 0.8, "1": 0.2}}, {"probabilities": {"1": 0.7, "0": 0.3}}],
    "JSON lines": '{"score": 0.2}\n{"score": 0.7}\n',
    "lines of lists": "[0.8, 0.2]\n[0.3, 0.7]",
    "CSV": "0.2\n0.7\n",
    "CSV on one line": "0.2,0.7",
    "CSV of probabilities": "0.8,0.2\n0.3,0.7",
    "quoted lists": '"[0.8, 0.2]"\n"[0.3, 0.7]"\n',
    "classes beside quoted lists": '0,"[0.8, 0.2]"\n1,"[0.3, 0.7]"',
    "CSV with a header": "prediction\n0.2\n0.7\n",
    "CSV with the names of XGBoost": "predicted_label,probability\n0,0.2\n1,0.7",
    "CSV with a header of another name": "y_hat\n0.2\n0.7",
    "a byte order mark": "\ufeff0.2\n0.7",
}


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of_every_layout_is_the_positive_ones_probability(name, header):
    found = read(ROWS, ANSWERS[name], header=header)
    assert [row[:2] for row in found] == [("41", "gold"), ("22", "basic")]
    assert [float(row[2]) for row in found] == pytest.approx([0.2, 0.7])


@pytest.mark.parametrize(
    "answer",
    [
        [[0.1, 0.7, 0.2]],
        {
            "predictions": [
                {"predicted_label": "dog", "probabilities": [0.1, 0.7, 0.2], "labels": ["cat", "dog", "cow"]}
            ]
        },
        {
            "predictions": [
                {"predicted_label": "dog", "probabilities": [0.7, 0.2, 0.1], "labels": ["dog", "cow", "cat"]}
            ]
        },
        {"predictions": [{"predicted_label": "dog", "score": [0.1, 0.7, 0.2]}]},
        "0.1,0.7,0.2",
        "dog,0.1,0.7,0.2",
        'dog,"[0.1, 0.7, 0.2]"',
        {"prediction": "dog", "probabilities": {"dog": 0.7, "cat": 0.1, "cow": 0.2}},
        [{"label": "dog", "score": 0.7}, {"label": "cow", "score": 0.2}, {"label": "cat", "score": 0.1}],
    ],
)
def test_of_several_classes_the_likeliest_is_answered_and_every_probability_goes_to_its_class(answer):
    assert read([ROWS[0]], answer, config_of(**SEVERAL)) == [("41", "gold", "dog", "0.1", "0.7", "0.2")]


@pytest.mark.parametrize(
    ("given", "came", "words"),
    [
        ({"age": [41, 22], "plan": "gold"}, [0.2], "a list or an object where one value belongs"),
        ({"age": [41, 22], "plan": ["gold"]}, [0.2], "columns of different lengths"),
        ('41,"[1, 2]"\n"[22]",basic', [0.2, 0.7], "a list or an object where one value belongs"),
        ("age,plan", [0.2], "holds no row behind its header"),
        ({"age": 41}, [0.2], "no plan in the input"),
        ({"keys": [0], "shape": [9], "values": [1]}, [0.2], "do not fit each other"),
        ({"dataframe_split": {"columns": ["age", "plan"], "data": [[1]]}}, [0.2], "not as long as its list of columns"),
        (ROWS, [0.2], "2 rows went in and 1 came out"),
        ([ROWS[0]], [[0.5, 0.9]], "a list or an object"),
        ([ROWS[0]], {"predictions": [{"probabilities": [0.5, 0.9]}]}, "no prediction in the answer"),
    ],
)
def test_a_value_of_the_wrong_shape_is_kept_aside_with_its_reason(given, came, words):
    if came == [[0.5, 0.9]]:
        came = {"prediction": came[0]}
    assert words in reason(given, came)


def test_a_sparse_row_is_written_out():
    assert read({"instances": [{"data": {"features": {"keys": [1], "shape": [2], "values": ["gold"]}}}]}, [0.2]) == [
        ("0", "gold", "0.2")
    ]


def test_a_header_line_whose_names_the_yaml_does_not_know_is_known_by_the_answers():
    assert read("AGE,PLAN\n41,gold\n22,basic", "0.2\n0.7") == [("41", "gold", "0.2"), ("22", "basic", "0.7")]
    assert "1 rows went in and 2 came out" in reason("AGE,PLAN", "0.2\n0.7", config_of(endpoint="header: false"))
    assert read("AGE,PLAN\n41,gold", "0.2", config_of(endpoint="header: true")) == [("41", "gold", "0.2")]


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85"])
@pytest.mark.parametrize("layout", ["JSON lines", "CSV"])
def test_a_line_separator_of_unicode_ends_no_line(sign, layout):
    given = (
        f'{{"age": 41, "plan": "go{sign}ld"}}\n{{"age": 22, "plan": "basic"}}'
        if layout != "CSV"
        else f"41,go{sign}ld\n22,basic"
    )
    assert read(given, [0.2, 0.7])[0][1] == f"go{sign}ld"


def test_decimal_commas_between_semicolons_are_numbers_among_many_too():
    one = record("41,5;gold", "0.2", header=("text/csv", "CSV"))
    many = parse_capture(json_lines(*[one] * 200), config_of(), KEY).table
    assert {*many.column("age").to_pylist()} == {"41.5"}
    assert read("41,5;gold\n22,0;basic", "0.2\n0.7") == [("41.5", "gold", "0.2"), ("22.0", "basic", "0.7")]


def test_a_header_line_that_comes_alone_is_no_row_among_many_either():
    lone = [
        record("age,plan", "0.2", header=("text/csv", "CSV")),
        record("41,gold", "0.2", header=("text/csv", "CSV")),
    ] * 200
    batch = parse_capture(json_lines(*lone), config_of(), KEY)
    assert (batch.table.num_rows, len(batch.quarantined)) == (200, 200)


def test_a_capture_object_may_begin_with_a_byte_order_mark():
    line = b"\xef\xbb\xbf" + json_lines(record("41,gold", "0.2"))
    assert parse_capture(line, config_of(), KEY).quarantined == ()


# Model Monitor's own words, as its documentation and its notebooks write them.
ATTRIBUTES = [
    (
        "features_attribute: 'instances[*].features'",
        {"instances": [{"features": row, "id": 7} for row in ROWS]},
        [0.2, 0.7],
    ),
    ("features_attribute: 'rows[].values(@)'", {"rows": [{"a": 41, "b": "gold"}, {"a": 22, "b": "basic"}]}, [0.2, 0.7]),
    (
        "features_attribute: 'body.x', header: false",
        {"body": {"x": {"age": [41, 22], "plan": ["gold", "basic"]}}},
        [0.2, 0.7],
    ),
    ("features_attribute: x", '{"x": [41, "gold"]}\n{"x": [22, "basic"]}', [0.2, 0.7]),
    ("inference_attribute: 'predictions[*].score'", ROWS, {"predictions": [{"score": 0.2}, {"score": 0.7}]}),
    ("probability_attribute: 'out[*].p'", ROWS, {"out": [{"p": 0.2}, {"p": 0.7}]}),
    ("probability_attribute: 'out[*].p'", ROWS, {"out": [{"p": [0.8, 0.2]}, {"p": [0.3, 0.7]}]}),
    (
        "inference_attribute: 'out[*].l', probability_attribute: 'out[*].p'",
        ROWS,
        {"out": [{"l": "0", "p": 0.2}, {"l": "1", "p": 0.7}]},
    ),
    ("inference_attribute: p", ROWS, '{"p": 0.2}\n{"p": 0.7}'),
    ("inference_attribute: '1'", "41,gold\n22,basic", "x,0.2\ny,0.7"),
    ("inference_attribute: 0, probability_attribute: 2", "41,gold\n22,basic", "0,x,0.2\n1,y,0.7"),
    ("probability_attribute: '1'", "41,gold\n22,basic", '0,"[0.8, 0.2]"\n1,"[0.3, 0.7]"'),
    ("probability_attribute: '1'", "41,gold\n22,basic", "label,p\n0,0.2\n1,0.7"),
    ("exclude_features_attribute: '0,2'", "7,41,x,gold\n8,22,y,basic", [0.2, 0.7]),
    ("exclude_features_attribute: 0", [[7, *row] for row in ROWS], [0.2, 0.7]),
]


@pytest.mark.parametrize(("endpoint", "given", "came"), ATTRIBUTES)
def test_a_payload_is_described_by_model_monitors_own_words(endpoint, given, came):
    found = read(given, came, config_of(endpoint=endpoint))
    assert [row[:2] for row in found] == [("41", "gold"), ("22", "basic")]
    assert [float(row[2]) for row in found] == pytest.approx([0.2, 0.7])


@pytest.mark.parametrize("place", [0, 1])
def test_a_place_in_the_answer_is_read_alike_by_itself_and_among_many(place):
    config = config_of(endpoint=f"inference_attribute: {place}")
    many = parse_capture(json_lines(*[record("41,gold", "0.2,0.8", header=("text/csv", "CSV"))] * 200), config, KEY)
    assert {*many.table.column("prediction").to_pylist()} == {["0.2", "0.8"][place]}


@pytest.mark.parametrize(
    ("endpoint", "given", "came", "words"),
    [
        (
            "features_attribute: 'rows'",
            {"instances": ROWS},
            [0.2, 0.7],
            "nothing where endpoint.features_attribute says",
        ),
        ("features_attribute: 'rows'", "41,gold", "0.2", "it is a path into JSON"),
        ("features_attribute: 'length(rows)'", {"rows": None}, [0.2], "does not fit endpoint.features_attribute"),
        ("inference_attribute: 'p[*].q'", ROWS, {"p": [{"q": 1}]}, "2 rows went in and 1 came out"),
        ("inference_attribute: 3", "41,gold", "0.2", "no field 3 in an answer of 1 values"),
    ],
)
def test_what_is_not_where_the_yaml_says_is_kept_aside_and_names_the_field(endpoint, given, came, words):
    assert words in reason(given, came, config_of(endpoint=endpoint))


@pytest.mark.parametrize(
    ("endpoint", "prediction", "words"),
    [
        ("features_attribute: 'instances[*'", "", "is no JMESPath"),
        ("inference_attribute: 'a..b'", "", "endpoint.inference_attribute is"),
        ("features_attribute: '0'", "", "endpoint.exclude_features_attribute"),
        ("inference_attribute: 0, probability_attribute: 'p'", "", "must both be a path into JSON, or both a place"),
        ("inference_attribute: 0", "field: 1", "keep one of them"),
        ("feature_attribute: x", "", "did you mean features_attribute"),
    ],
)
def test_a_description_that_cannot_work_is_refused_on_load(endpoint, prediction, words):
    with pytest.raises(ModelConfigError, match=words.replace("[", r"\[").replace("(", r"\(")):
        config_of(endpoint=endpoint, prediction=prediction)


@pytest.mark.parametrize(
    ("problem", "classes", "answer"),
    [
        ("binary_classification", "'0', '1'", [0.83, 0.07]),
        ("regression", "'0', '1'", [12.5, -3]),
        ("multiclass_classification", "'1', '2', '3'", [2, 1]),
    ],
)
def test_several_numbers_that_could_each_be_the_answer_of_one_row_are_refused(problem, classes, answer):
    config = config_of(problem=problem, classes=classes)
    for came in (answer, {"predictions": answer}, {"predictions": [answer]}):
        assert "a row has 2 numbers as its answer" in reason([[41, "gold"]], came, config)
    named = config_of(problem=problem, classes=classes, prediction="field: 1")
    assert [float(row[-1]) for row in read([[41, "gold"]], [answer], named)] == [answer[1]]


def test_a_class_that_is_a_number_stands_before_its_probabilities():
    numbers = {"problem": "multiclass_classification", "classes": "'1', '2', '3'"}
    config = config_of(**numbers, prediction="probabilities: [p1, p2, p3]")
    assert read([[41, "gold"]], {"predictions": [[2, 0.1, 0.7, 0.2]]}, config) == [
        ("41", "gold", "2", "0.1", "0.7", "0.2")
    ]
    # Of these numbers only the first can be a class.
    assert read([[41, "gold"]], [[2, 0.7]], config_of(**numbers)) == [("41", "gold", "2")]
