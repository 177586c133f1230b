"""What the machines' functions answer: requests as the real adapters write them, so that a field cannot go astray."""

import json
from datetime import UTC, datetime
from typing import Any

from kedge.config.model import ModelConfig
from kedge.config.reading import parse_model_config
from kedge.config.staging import Staging
from kedge.release.plan import ServingFleet, plan_release
from lambdas.adapters.release import model_registry, releases
from lambdas.adapters.release.model_registry import Registration, StagedFile
from lambdas.adapters.training import pipelines, training_jobs
from lambdas.adapters.training.foreign_packages import ForeignPackage
from lambdas.adapters.training.staging_endpoints import staging_request
from lambdas.adapters.training.training_jobs import TrainingWorkshop

ROLE = "arn:aws:iam::123456789012:role/workshop"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/k"
PACKAGE = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/hotel/3"
RUN = "hotel-3f2a"
Json = dict[str, Any]


def hotel(training: Json | None = None) -> ModelConfig:
    """Return the config of the model that the tests retrain and release."""
    text = "{model: hotel, endpoint: {name: hotel}, features: [{name: adr, kind: numeric}], training: %s}"
    return parse_model_config(text % json.dumps(training or {}), source="hotel.yaml")


def in_vpc(answer: Json) -> Json:
    """The same answer, with each job and model in a VPC."""
    vpc = {"VpcConfig": {"Subnets": ["subnet-0a0a0a0a"], "SecurityGroupIds": ["sg-0a0a0a0a"]}}
    made = ("training_job", "challenger_model", "champion_model", "create_model")
    return answer | {name: answer[name] | vpc for name in made if name in answer}


def ready(
    *,
    champion: bool = True,
    training: Json | None = None,
    training_section: Json | None = None,
    staging: bool = False,
) -> Json:
    """Answer as snapshot_data does when the rows will do, perhaps with the training of an earlier run."""
    shop = TrainingWorkshop("image", "s3://bucket/source.tar.gz", ROLE, ROLE, KEY, (("kedge:model", "hotel"),))
    holdout = {"input_uri": "s3://bucket/holdout/input.csv"}
    answer = {
        "verdict": "READY",
        "reasons": [],
        "training_inputs": "ab" * 32,
        "snapshot": {"prefix": f"retraining/hotel/{RUN}", "train_rows": 900, "holdout_rows": 100},
        "champion": {"present": False},
        "training_job": training_jobs.training_job_request(
            hotel(training_section), shop, train_uri="s3://b/t", output_uri="s3://b/o"
        ),
        "challenger_model": training_jobs.challenger_model_request(hotel(), shop),
        "challenger_transform": training_jobs.transform_request(
            hotel(), shop, model_name=RUN, output_uri="s3://bucket/challenger", **holdout
        ),
    }
    if tuning := training_jobs.tuning_job_request(hotel(training_section), answer["training_job"], run=RUN):
        answer["tuning_job"] = tuning
    if training:
        answer["training"] = training
    if staging:
        staged = hotel().model_copy(update={"staging": Staging()})
        answer["staging"] = staging_request(staged, shop, run=RUN, instances=2)
    if champion:
        copy = f"{RUN}-champion"
        answer["champion"] = {"present": True, "model_name": "hotel-v2", "package_version": "2"}
        answer["champion_model"] = {
            "ExecutionRoleArn": ROLE,
            "Containers": [{"Image": "image", "ModelDataUrl": "s3://bucket/models/hotel-v2.tar.gz"}],
            "EnableNetworkIsolation": True,
            "Tags": training_jobs.tags_of(shop),
        }
        answer["champion_transform"] = training_jobs.transform_request(
            hotel(), shop, model_name=copy, output_uri="s3://bucket/champion", **holdout
        )
    return answer


def by_pipeline(deadline: str = "2016-01-01T11:00:00Z") -> Json:
    """Answer as snapshot_data does where a pipeline trains."""
    facts = dict.fromkeys(("train_uri", "manifest_uri", "output_uri", "training_end", "run"), "s3://b/t")
    asked = pipelines.start_request(
        hotel({"pipeline": "hotel-training"}), run=RUN, facts=facts, now=datetime(2016, 1, 1, tzinfo=UTC)
    )
    return ready() | {"training_inputs": "", "pipeline": asked | {"deadline": deadline}}


def taken() -> Json:
    """Answer as take_trained does of a package that the pipeline has registered."""
    package = ForeignPackage(
        PACKAGE, "theirs:1", "s3://theirs/model.tar.gz", {"A": "b"}, datetime(2016, 1, 1, tzinfo=UTC), False
    )
    return {"training": package.taken_by(RUN), "challenger_model": package.challenger(ready()["challenger_model"])}


def rejected() -> Json:
    """Answer as snapshot_data does when the rows will not do."""
    return {"verdict": "REJECTED", "reasons": ["12 rows; 1,000 are needed"], "champion": {"present": False}}


def earlier_training() -> Json:
    """Answer as snapshot_data does of a training that an earlier run has paid."""
    uri = "s3://bucket/hotel-1a2b-0/model.tar.gz"
    return {
        "job": "hotel-1a2b-0",
        "artefact_uri": uri,
        "status": "Completed",
        "run": "hotel-1a2b",
        "reason": "the training of run hotel-1a2b is reused",
    }


def pinned(uri: str = "s3://bucket/artefacts/hotel/model.tar.gz") -> Json:
    """Answer as pin_artefact does."""
    return {"uri": uri, "sha256": "c2hhMjU2"}


def gate(verdict: str) -> Json:
    """Answer as compare_models does."""
    row = {"gate": "auc", "limit": 0.01, "value": 0.03, "low": 0.02, "high": 0.04, "verdict": verdict, "reason": "r"}
    return {
        "verdict": verdict,
        "reasons": ["auc is 0.03 higher (0.74 -> 0.77, better)"],
        "rows": [row],
        "report_key": "gate.json",
        "cost": "",
    }


def registration(approval: str = "manual") -> Json:
    """Answer as build_baseline does."""
    file = StagedFile("s3://bucket/statistics.json", "ab" * 32)
    asked = Registration(
        RUN, "image", "s3://b/model.tar.gz", {"A": "b"}, "better", {"kedge:run": RUN}, file, file, file, file
    )
    return {
        "package": model_registry.registration_request(hotel(), asked),
        "staged_prefix": "retraining/baseline",
        "cost": "",
        "tuned": "",
        "approval": approval,
    }


def plan(*, serving: bool = True, instances: int = 2, mark: str = "") -> Json:
    """Answer as plan_release does, for an endpoint that serves or for none."""
    made = plan_release(
        hotel(),
        package_version="3",
        package_arn=PACKAGE,
        run=RUN + mark,
        serving=ServingFleet("AllTraffic", instances) if serving else None,
    )
    answer = {
        "verdict": "UPDATE" if serving else "CREATE",
        "package_version": "3",
        "planned_at": "2016-01-01T00:00:00Z",
        "create_model": releases.create_model_request(made, role_arn=ROLE),
        "endpoint_config": releases.endpoint_config_request(made, bucket="bucket", kms_key_id=KEY),
        "alarms": [releases.alarm_request(alarm) for alarm in made.alarms],
        "alarm_names": [alarm.name for alarm in made.alarms],
        "previous_config": "hotel-v2" if serving else None,
    }
    if made.rollout is None:
        return answer | {"create": releases.create_endpoint_request(made)}
    return answer | {
        "update": releases.update_endpoint_request(made, made.rollout),
        "traffic": made.rollout.routing.words,
    }


def settled(verdict: str) -> Json:
    """Answer as settle does at the end of a release."""
    return {"verdict": verdict, "reasons": [f"it was {verdict}"]}
