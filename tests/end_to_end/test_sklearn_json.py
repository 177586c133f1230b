"""A scikit-learn model whose payloads are JSON: trained, judged, registered, approved, served, captured and counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app import build_app
from kedge.config.reading import parse_model_config
from offline.account import Account
from tests.end_to_end.hotel import DAY, HOUR, Hotel
from tests.synthesised import EXAMPLE, brisk_models

pytestmark = pytest.mark.slow

LEARNT_FROM, FROM = datetime(2015, 9, 1, tzinfo=UTC), datetime(2016, 2, 1, tzinfo=UTC)
YAML = brisk_models() / EXAMPLE
JSON = "application/json"


@pytest.fixture(scope="module")
def hotel(frame: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotel]:
    directory = tmp_path_factory.mktemp("sklearn")
    text = YAML.read_text().replace("endpoint:\n", f"endpoint:\n  content_type: {JSON}\n")
    text += "training: {framework: sklearn, permuted_rows: 0}\n"
    (directory / "models").mkdir()
    (directory / "models" / YAML.name).write_text(text)
    build_app(directory / "assembly", directory / "models").synth()
    with Account(start=FROM - DAY / 2, directory=directory / "account") as account:
        account.deploy(directory / "assembly")
        hotel = Hotel(account, parse_model_config(text, source=YAML.name), frame)
        hotel.release_first_champion(since=LEARNT_FROM, until=FROM)
        yield hotel


def test_the_package_holds_the_scikit_learn_image_and_answers_json(hotel):
    (summary,) = hotel.registry.list_model_packages(ModelPackageGroupName=hotel.model)["ModelPackageSummaryList"]
    package = hotel.registry.describe_model_package(ModelPackageName=summary["ModelPackageArn"])
    (container,) = package["InferenceSpecification"]["Containers"]
    assert container["Image"].endswith("sagemaker-scikit-learn:1.9-0-cpu-py3")
    assert container["Environment"]["SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"] == JSON
    assert package["ModelApprovalStatus"] == "Approved"
    assert hotel.item("champion") is not None


def test_its_json_answers_are_captured_and_counted(hotel):
    start = FROM + DAY + 9 * HOUR
    hotel.account.clock.advance_to(start)
    columns = list(hotel.config.feature_names)
    chosen = hotel.frame[(hotel.frame["time"] >= FROM) & (hotel.frame["time"] < FROM + 7 * DAY)][columns].head(60)
    rows = json.loads(chosen.to_json(orient="records"))
    for number, row in enumerate(rows):
        answer = hotel.runtime.invoke_endpoint(
            EndpointName=hotel.endpoint,
            ContentType=JSON,
            Accept=JSON,
            InferenceId=f"guest-{number}",
            Body=json.dumps({"instances": [row]}),
        )
        assert answer["ContentType"].partition(";")[0] == JSON
        (score,) = json.loads(answer["Body"].read())["predictions"]
        assert 0 < score < 1
    hotel.wait(timedelta(days=2))
    day = hotel.day(start)
    assert sum(day["rows_by_hour"].values()) == 60
    assert day["quarantined"] == 0
