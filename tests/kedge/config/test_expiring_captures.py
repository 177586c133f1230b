"""Captures that would expire where Kedge deletes nothing, or while they are read, are refused with the remedy."""

import pytest

from kedge.config.reading import parse_model_config
from kedge.errors import ModelConfigError
from tests.builders import YAML, make_config
from tests.logs import log_config

ATTRIBUTES = YAML.replace("endpoint: {name: parcels}", "endpoint: {name: parcels, custom_attributes: [region]}")
FAIR = "fairness: {columns: [region]}\n"
EXPIRE = "capture: {expire_days: 40}\n"


def read(text):
    return parse_model_config(ATTRIBUTES + text, source="parcels.yaml")


@pytest.mark.parametrize("mode", ["manage", "watch"])
def test_captures_in_the_data_bucket_may_expire(mode):
    assert make_config(f"mode: {mode}\n{EXPIRE}").capture.expire_days == 40


def test_a_log_may_expire():
    assert log_config(EXPIRE).capture.expire_days == 40


def test_captures_that_may_still_be_counted_do_not_expire():
    with pytest.raises(ModelConfigError, match=r"capture\.expire_days.*35"):
        make_config("capture: {expire_days: 34}\n")


def test_nothing_is_deleted_in_a_bucket_of_others():
    there = "capture: {uri: 's3://theirs/logs', expire_days: 40}\n"
    with pytest.raises(ModelConfigError, match=r"s3://theirs/logs: .* a lifecycle rule of 40 days or more, and remove"):
        make_config("mode: watch\n" + there)
    # What Kedge releases is captured into its own bucket.
    assert make_config("mode: manage\n" + there).capture.expire_days == 40


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FAIR, "write labels.label_horizon_days"),
        (FAIR + "labels: {label_horizon_days: 30}\n", "rows of up to 365 days are looked up: raise it to 365"),
        (FAIR + "labels: {label_horizon_days: 33.5}\nmode: watch\n", "rows of up to 41 days are looked up: raise it to 41"),
        (FAIR + "labels: {label_horizon_days: 1}\ntraining: {window: expanding}\n", "write sliding, or name them in context"),
        ("business: [{name: value, column: region, over: true_positive}]\n", "region stand in the captures alone"),
    ],
)  # fmt: skip
def test_captures_stay_as_long_as_custom_attributes_are_read_from_them(text, words):
    with pytest.raises(ModelConfigError, match=words):
        read(EXPIRE + text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        FAIR + "labels: {label_horizon_days: 33}\nmode: watch\n",
        FAIR + "labels: {label_horizon_days: 33}\ntraining: {window_days: 40}\n",
    ],
)
def test_they_may_go_once_nothing_reads_them(text):
    assert read(EXPIRE + text).capture.expire_days == 40
