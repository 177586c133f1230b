"""What each role can do at worst, tried with its own credentials: one model against another, and against its own gate.

`docs/security.md` has the table; what it says remains is tried here as well, so that it stays true.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.bucket import layout
from offline.account import Account
from tests.synthesised import assembly

MINE, OTHER, RUN = "hotel-cancellations", "churn", "run-1"
# Everything that decides, of this model and of another one: rows, truth, evidence, baselines, labels, verdicts, history.
DECIDES = (
    "artefacts/{model}/run-1-0/model.tar.gz",
    "retraining/{model}/run-1/train/train.csv",
    "retraining/{model}/run-1/training.parquet",
    "retraining/{model}/run-1/holdout/input/rows.csv",
    "retraining/{model}/run-1/holdout/champion/rows.csv",
    "retraining/{model}/run-1/holdout/truth.parquet",
    "retraining/{model}/run-1/manifest.json",
    "retraining/{model}/run-1/gate.json",
    "retraining/{model}/run-1/baseline/baseline.npz",
    "baselines/{model}/1.npz",
    "labels/{model}/2016/01/01/00/labels.jsonl",
    "labelled/{model}/ledger.json",
    "predictions/{model}/package=1/date=2016-01-01/a.parquet",
    "profiles/{model}/1/1/2016-01-01.npz",
    "reports/{model}/1/2016-01-01T00/drift-r1.json",
    "audit/{model}/2016/01/01/000000-approved-a.json",
    "initial/{model}/training.parquet",
    "deployed/{model}.yaml",
)
TRUTH = ("retraining/{model}/run-1/holdout/truth.parquet", "labels/{model}/2016/01/01/00/labels.jsonl")
TRAINED, SCORED = "trained/{model}/run-1/run-1-0/output/model.tar.gz", "scored/{model}/run-1/challenger/rows.csv.out"
CAPTURED = "capture/{model}/1/e/AllTraffic/2016/01/01/00/a.jsonl"
# By role: what it may write of any model, which is what remains, and what it may not.
WRITES = {"Training": (TRAINED,), "Scoring": (SCORED,), "Serving": (CAPTURED,)}
EXECUTION = sorted(WRITES)


class Deployed:
    """The deployed system, and its roles by the beginning of their names."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.bucket = next(b["Name"] for b in account.client("s3").list_buckets()["Buckets"] if "-data" in b["Name"])
        self.roles = [role["Arn"] for role in account.client("iam").list_roles()["Roles"]]
        for key in (*DECIDES, TRAINED, SCORED, CAPTURED):
            for model in (MINE, OTHER):
                account.client("s3").put_object(Bucket=self.bucket, Key=key.format(model=model), Body=b"honest")

    def role(self, part: str) -> str:
        (arn,) = [arn for arn in self.roles if part in arn]
        return arn

    def may(self, role: str, service: str, operation: str, **params: Any) -> bool:
        """Whether IAM lets a role make a call, whatever the service says to it afterwards."""
        with self.account.as_role(self.role(role)):
            try:
                getattr(boto3.client(service), operation)(**params)
            except ClientError as error:
                if error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException", "AuthorizationError"):
                    return False
        return True

    def may_write(self, role: str, key: str) -> bool:
        return self.may(role, "s3", "put_object", Bucket=self.bucket, Key=key, Body=b"a backdoor")


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    templates = assembly()  # before the account's clock starts
    with Account(start=datetime(2016, 1, 1, tzinfo=UTC), directory=tmp_path_factory.mktemp("account")) as account:
        account.deploy(templates)
        yield Deployed(account)


@pytest.mark.parametrize("model", [MINE, OTHER])
@pytest.mark.parametrize("role", EXECUTION)
def test_no_job_and_no_endpoint_can_change_what_decides(deployed: Deployed, role: str, model: str) -> None:
    role = f"{role}ExecutionRole"
    for key in (each.format(model=model) for each in DECIDES):
        assert not deployed.may_write(role, key), key
        assert not deployed.may(role, "s3", "delete_object", Bucket=deployed.bucket, Key=key), key
        assert deployed.account.client("s3").get_object(Bucket=deployed.bucket, Key=key)["Body"].read() == b"honest"


@pytest.mark.parametrize("role", EXECUTION)
def test_a_role_writes_only_what_its_own_kind_of_container_answers(deployed: Deployed, role: str) -> None:
    for kind, keys in WRITES.items():
        for key in (each.format(model=model) for each in keys for model in (MINE, OTHER)):
            assert deployed.may_write(f"{role}ExecutionRole", key) == (kind == role), key


@pytest.mark.parametrize("role", EXECUTION)
def test_no_job_and_no_endpoint_can_read_the_truth(deployed: Deployed, role: str) -> None:
    for key in (each.format(model=model) for each in TRUTH for model in (MINE, OTHER)):
        assert not deployed.may(f"{role}ExecutionRole", "s3", "get_object", Bucket=deployed.bucket, Key=key), key


@pytest.mark.parametrize("place", [layout.SCORED, layout.SCORED_BY_CHAMPION])
def test_a_transform_finds_and_reads_all_that_a_snapshot_has_scored(deployed: Deployed, place: str) -> None:
    key = f"retraining/{MINE}/{RUN}/{place}rows.csv"
    for operation, params in (("get_object", {"Key": key}), ("list_objects_v2", {"Prefix": key})):
        assert deployed.may("ScoringExecutionRole", "s3", operation, Bucket=deployed.bucket, **params), operation


def test_a_training_job_reads_no_other_models_artefacts_and_no_holdout(deployed: Deployed) -> None:
    for key in (each.format(model=OTHER) for each in (DECIDES[0], DECIDES[3], TRAINED, SCORED, CAPTURED)):
        assert not deployed.may("TrainingExecutionRole", "s3", "get_object", Bucket=deployed.bucket, Key=key), key


@pytest.mark.parametrize("role", EXECUTION)
def test_no_job_and_no_endpoint_can_register_approve_release_tell_or_remember(deployed: Deployed, role: str) -> None:
    account, role = deployed.account, f"{role}ExecutionRole"
    table = next(name for name in account.client("dynamodb").list_tables()["TableNames"] if "State" in name)
    package = f"arn:aws:sagemaker:{account.region}:{account.account_id}:model-package/{OTHER}/1"
    machine = account.client("stepfunctions").list_state_machines()["stateMachines"][0]["stateMachineArn"]
    topic = account.client("sns").list_topics()["Topics"][0]["TopicArn"]
    key = {"model": {"S": OTHER}, "item": {"S": "champion"}}
    tried = {
        "sagemaker:create_model_package": {"ModelPackageGroupName": OTHER},
        "sagemaker:update_model_package": {"ModelPackageArn": package, "ModelApprovalStatus": "Approved"},
        "sagemaker:update_endpoint": {"EndpointName": OTHER, "EndpointConfigName": "mine"},
        "sagemaker:create_model": {"ModelName": "mine", "ExecutionRoleArn": deployed.role(role)},
        "dynamodb:put_item": {"TableName": table, "Item": key},
        "dynamodb:get_item": {"TableName": table, "Key": key},
        "stepfunctions:start_execution": {"stateMachineArn": machine},
        "sns:publish": {"TopicArn": topic, "Message": "please approve version 2"},
        "cloudwatch:delete_alarms": {"AlarmNames": [f"kedge-{OTHER}-v2-behaviour"]},
    }
    for call, params in tried.items():
        service, operation = call.split(":")
        assert not deployed.may(role, service, operation, **params), call


# By function: the only prefixes below which it may write, each of any model.
WRITTEN_BY = {
    "fan_out": (),
    "define_models": ("deployed",),
    "profile_logs": ("profiles", "predictions", "quarantine", "audit"),
    "measure_performance": ("labelled", "reports", "audit"),
    "join_labels": ("athena",),
    "detect_drift": ("profiles", "reports", "audit"),
    "watch_monitor": ("watch", "audit"),
    "watch_captures": ("audit",),
    "keep_history": (),
    "expire_captures": ("profiles",),
    "write_pages": (),
    "draw_widget": (),
    "send_digest": ("audit",),
    "decide_retraining": ("audit",),
    "snapshot_data": ("labelled", "retraining"),
    "pin_artefact": ("artefacts",),
    "compare_models": ("retraining", "audit"),
    "replay_staging": ("retraining",),
    "judge_staging": ("retraining", "audit"),
    "build_baseline": ("retraining",),
    "approve_package": (),
    "take_trained": (),
    "start_release": ("audit",),
    "plan_release": ("baselines",),
    "watch_canary": (),
    # Below experiments/, which holds no other's data.
    "watch_experiment": (),
    "settle": ("audit", "baselines"),
    "tell": ("audit",),
}


# One key below each prefix.
PREFIXES = tuple({key.split("/")[0]: key.format(model=OTHER) for key in (*DECIDES, TRAINED, SCORED, CAPTURED)}.values())


def test_a_function_writes_below_its_own_prefixes_and_deletes_nothing_of_others(deployed: Deployed) -> None:
    functions = deployed.account.client("lambda").list_functions()["Functions"]
    assert {handler_of(function) for function in functions} == set(WRITTEN_BY)
    for function in functions:
        role, name = function["Role"].rpartition("/")[2], handler_of(function)
        for key in PREFIXES:
            written = deployed.may_write(role, f"{key}.tried")
            assert written == (key.split("/")[0] in WRITTEN_BY[name]), (name, key)
            deletes = deployed.may(role, "s3", "delete_object", Bucket=deployed.bucket, Key=f"{key}.tried")
            assert deletes == ((name, key.split("/")[0]) == ("define_models", "deployed")), (name, key)


def handler_of(function: dict[str, Any]) -> str:
    return str(function["Handler"]).split(".")[-2]


class Fleet:
    """A model of a stranger, one that serves for Kedge, and one that a run made to score with."""

    def __init__(self, deployed: Deployed) -> None:
        self.sagemaker = deployed.account.client("sagemaker")
        self.role = deployed.role("ServingExecutionRole")
        self.uri = f"s3://{deployed.bucket}/{DECIDES[0].format(model=MINE)}"
        self.make("strangers", {})
        self.make("serves", {"kedge:model": OTHER, "kedge:package-version": "1"})
        self.make("scores", {"kedge:model": OTHER, "kedge:run": RUN})

    def make(self, name: str, tags: dict[str, str]) -> None:
        container = {"Image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/i:1", "ModelDataUrl": self.uri}
        self.sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=self.role,
            PrimaryContainer=container,
            EnableNetworkIsolation=True,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )


@pytest.fixture(scope="module")
def fleet(deployed: Deployed) -> Fleet:
    return Fleet(deployed)


RETRAIN, RELEASE = "KedgeRetrainRole", "KedgeReleaseRole"


def test_the_retrain_machine_deletes_only_what_a_run_made_to_score_with(deployed: Deployed, fleet: Fleet) -> None:
    for name in ("strangers", "serves"):
        assert not deployed.may(RETRAIN, "sagemaker", "delete_model", ModelName=name), name
        arn = fleet.sagemaker.describe_model(ModelName=name)["ModelArn"]
        tags = [{"Key": "kedge:run", "Value": RUN}]
        assert not deployed.may(RETRAIN, "sagemaker", "add_tags", ResourceArn=arn, Tags=tags), name
    assert deployed.may(RETRAIN, "sagemaker", "delete_model", ModelName="scores")


@pytest.mark.parametrize("isolated", [True, False, None])
@pytest.mark.parametrize(("machine", "role"), [(RETRAIN, "ScoringExecutionRole"), (RELEASE, "ServingExecutionRole")])
def test_no_machine_makes_a_container_with_a_network_and_so_with_credentials(
    deployed: Deployed, fleet: Fleet, machine: str, role: str, isolated: bool | None
) -> None:
    container = {"Image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/i:1", "ModelDataUrl": fleet.uri}
    request = {"ModelName": f"made-{isolated}-{machine}", "ExecutionRoleArn": deployed.role(role)}
    request |= {"PrimaryContainer": container} | ({} if isolated is None else {"EnableNetworkIsolation": isolated})
    assert deployed.may(machine, "sagemaker", "create_model", **request) is (isolated is True)


@pytest.mark.parametrize(
    ("machine", "roles"),
    [(RETRAIN, {"TrainingExecutionRole", "ScoringExecutionRole"}), (RELEASE, {"ServingExecutionRole"})],
)
def test_a_machine_hands_on_the_roles_of_what_it_makes_and_no_others(
    deployed: Deployed, machine: str, roles: set[str]
) -> None:
    passed = {"iam:passedtoservice": "sagemaker.amazonaws.com"}
    for kind in EXECUTION:
        arn = deployed.role(f"{kind}ExecutionRole")
        allowed = deployed.account.iam.allows(deployed.role(machine), "iam:PassRole", arn, passed)
        assert allowed == (f"{kind}ExecutionRole" in roles), kind


def test_the_release_machine_changes_the_models_endpoints_and_no_others(deployed: Deployed) -> None:
    def may_update(endpoint: str) -> bool:
        request = {"EndpointName": endpoint, "EndpointConfigName": "mine"}
        return deployed.may(RELEASE, "sagemaker", "update_endpoint", **request)

    assert may_update(MINE)
    assert not may_update("payments-of-another-team")
    for machine in (RETRAIN, RELEASE):
        assert not deployed.may(machine, "sagemaker", "delete_endpoint", EndpointName=MINE), machine
        assert not deployed.may(machine, "cloudwatch", "put_metric_alarm", **alarm("payments-latency")), machine
    assert deployed.may(RELEASE, "cloudwatch", "put_metric_alarm", **alarm(f"kedge-{MINE}-v2-latency"))


def test_the_release_machine_deletes_an_endpoint_only_until_it_serves(deployed: Deployed) -> None:
    """MINE serves and has lost the tag; one that was just made has it."""

    def may_delete(tags: dict[str, str]) -> bool:
        account = deployed.account
        arn = f"arn:aws:sagemaker:{account.region}:{account.account_id}:endpoint/{MINE}"
        known = {f"aws:resourcetag/{key}": value for key, value in tags.items()}
        return bool(account.iam.allows(deployed.role(RELEASE), "sagemaker:DeleteEndpoint", arn, known))

    assert may_delete({"kedge:not-served": "true"})
    assert not may_delete({"kedge:model": MINE})


def alarm(name: str) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "Namespace": "n",
        "MetricName": "m",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "Statistic": "Sum",
        "ComparisonOperator": "GreaterThanThreshold",
    }


def test_no_role_of_kedge_can_approve(deployed: Deployed) -> None:
    for arn in deployed.roles:
        facts = {"sagemaker:modelapprovalstatus": "Approved"}
        for action in ("UpdateModelPackage", "CreateModelPackage"):
            resource = f"arn:aws:sagemaker:eu-west-1:123456789012:model-package/{MINE}/1"
            assert not deployed.account.iam.allows(arn, f"sagemaker:{action}", resource, facts), (arn, action)
