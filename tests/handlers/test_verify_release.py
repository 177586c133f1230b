"""verify_release believes the endpoint's config, the last watch and the request count, in that order."""

from datetime import timedelta

import pytest
from moto.sagemaker.models import sagemaker_backends

from kedge.errors import EndpointBusyError
from kedge.release_proof import LastWatch
from lambdas.adapters import canary_watch, clients
from lambdas.adapters.canary_watch import CanaryWatch
from lambdas.adapters.times import from_text
from lambdas.handlers.verify_release import handler
from tests.handlers.aws_world import ACCOUNT, BUCKET, CONTEXT, MODEL, REGION, TABLE, aws_world

OLD, NEW = f"{MODEL}-v1-aaaa", f"{MODEL}-v2-bbbb"
TIME = from_text("2016-02-11T14:00:00Z")


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        yield world


def run(*, previous: str | None = OLD) -> dict:
    event = {
        "model": MODEL, "run": "release-1", "time": TIME.isoformat(), "endpoint_config": NEW,
        "previous_config": previous, "started": (TIME - timedelta(hours=2)).isoformat(),
    }  # fmt: skip
    return handler(event, CONTEXT)


def watched(world, verdict: str, *, run: str = "release-1", judged: int = 50) -> None:
    seen = CanaryWatch(run, "2", NEW, 1, "2016-02-11T13:00:00Z", LastWatch(verdict, (f"it was {verdict}",), judged))
    canary_watch.save(world.dynamodb, TABLE, MODEL, seen)


def answered_requests(count: int) -> None:
    dimensions = {"EndpointName": MODEL, "VariantName": "AllTraffic", "EndpointConfigName": NEW}
    clients.cloudwatch().put_metric_data(
        Namespace="AWS/SageMaker",
        MetricData=[
            {
                "MetricName": "Invocations", "Value": float(count), "Timestamp": TIME - timedelta(minutes=30),
                "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
            }
        ],
    )  # fmt: skip


def test_a_config_that_serves_and_was_tried_is_promoted(world):
    world.serve(NEW)
    watched(world, "HEALTHY")
    answered_requests(50)
    assert run()["verdict"] == "PROMOTED"


def test_captures_at_the_configs_destination_are_as_planned(world):
    world.serve(NEW, capture=f"capture/{MODEL}/2")
    assert run()["capture"] == {"verdict": "AS_PLANNED", "reasons": ()}


def test_an_endpoint_that_captures_elsewhere_than_its_config_says_is_told_though_it_serves(world):
    world.serve(NEW, capture=f"capture/{MODEL}/2")
    backend = sagemaker_backends[ACCOUNT][REGION]
    backend.endpoints[MODEL].data_capture_config["DestinationS3Uri"] = f"s3://{BUCKET}/capture/{MODEL}/1"
    backend.endpoint_configs[NEW].data_capture_config = {
        "EnableCapture": True, "DestinationS3Uri": f"s3://{BUCKET}/capture/{MODEL}/2"
    }  # fmt: skip
    watched(world, "HEALTHY")
    answered_requests(50)
    answered = run()
    assert (answered["verdict"], answered["capture"]["verdict"]) == ("PROMOTED", "ASTRAY")
    assert "capture/hotel-cancellations/1, where hotel-cancellations-v2-bbbb says" in answered["reasons"][-1]


def test_a_config_that_serves_is_unproven_where_no_answer_was_judged(world):
    world.serve(NEW)
    watched(world, "UNDECIDED", judged=0)
    answered_requests(50)
    assert (run()["verdict"], run()["serving"]) == ("UNPROVEN", True)


def test_a_silent_rollback_is_recognised(world):
    world.serve(OLD)
    watched(world, "HEALTHY")
    answered_requests(50)
    answered = run()
    assert (answered["verdict"], answered["serving"]) == ("ROLLED_BACK", False)


def test_a_canary_that_nobody_asked_is_unproven(world):
    world.serve(OLD)
    watched(world, "UNPROVEN")
    answered = run()
    assert answered["verdict"] == "UNPROVEN"
    assert answered["reasons"][0] == "it was UNPROVEN"


def test_another_runs_watch_says_nothing_of_this_one(world):
    world.serve(OLD)
    watched(world, "UNPROVEN", run="release-0")
    assert run()["verdict"] == "ROLLED_BACK"


def test_a_config_that_serves_but_answered_nobody_is_unproven(world):
    world.serve(NEW)
    assert run()["verdict"] == "UNPROVEN"


def test_a_created_endpoint_is_proved_by_being_in_service(world):
    world.serve(NEW)
    assert run(previous=None)["verdict"] == "PROMOTED"


def test_the_canary_is_forgotten_whatever_became_of_it(world):
    world.serve(OLD)
    watched(world, "MISBEHAVING")
    run()
    assert world.item("canary") is None


def test_an_endpoint_that_is_not_there_yet_is_asked_again(world):
    with pytest.raises(EndpointBusyError):
        run()
