"""A small account for handlers' tests: bucket, state table and registry in moto, and the environment they read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import boto3
from moto import mock_aws
from moto.backends import get_backend
from moto.cloudtrail.responses import CloudTrailResponse
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult
from moto.s3.responses import S3Response
from moto.sagemaker.models import SageMakerModelBackend

from lambdas.adapters import clients
from lambdas.adapters.models import load_model
from offline import paging, s3_conflicts
from tests import deployed_models
from tests.adapters.aws import forget_clients
from tests.adapters.state_table import make_state_table

REGION, ACCOUNT = "eu-west-1", "123456789012"
BUCKET, TABLE, MODEL = "kedge-data", "kedge-state", "hotel-cancellations"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/jobs"
TRAINER = f"arn:aws:iam::{ACCOUNT}:role/training"
IMAGES = '{"xgboost 3.2-0": "image:1"}'
# What snapshot_data finds in its environment beside what every function does.
SNAPSHOT_ENVIRONMENT = {
    "TRAINING_IMAGES": IMAGES,
    "ATHENA_DATABASE": "kedge",
    "ATHENA_WORKGROUP": "kedge",
    "TRAINING_SOURCES": '{"training": "s3://code/source.tar.gz"}',
    "TRAINING_ROLE_ARN": TRAINER,
    "SCORING_ROLE_ARN": ROLE,
    "KMS_KEY_ID": "key",
}
CONTEXT = SimpleNamespace(
    function_name="f",
    memory_limit_in_mb=512,
    aws_request_id="1",
    get_remaining_time_in_millis=lambda: 600_000,
    invoked_function_arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f",
)


class World:
    """What a test arranges and looks at."""

    def __init__(self) -> None:
        self.s3, self.sagemaker, self.dynamodb = clients.s3(), clients.sagemaker(), clients.dynamodb()
        self.config = load_model(MODEL, BUCKET)

    def put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def read(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def keys(self, prefix: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def timeline(self) -> list[dict[str, Any]]:
        return [json.loads(self.read(key)) for key in self.keys(f"audit/{MODEL}/")]

    def item(self, name: str, *, model: str = MODEL) -> dict[str, Any] | None:
        key = {"model": {"S": model}, "item": {"S": name}}
        return self.dynamodb.get_item(TableName=TABLE, Key=key).get("Item")

    def serve(
        self,
        config_name: str = f"{MODEL}-v1-aaaa",
        *,
        capture: str = f"capture/{MODEL}/1",
        variant: str = "AllTraffic",
    ) -> None:
        """Let the model's endpoint serve a config of this name."""
        container = {"Image": "i", "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"}
        self.sagemaker.create_model(ModelName=config_name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
        production = {
            "VariantName": variant,
            "ModelName": config_name,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 2,
            "InitialVariantWeight": 1.0,
        }
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=config_name,
            ProductionVariants=[production],
            DataCaptureConfig={
                "EnableCapture": True,
                "InitialSamplingPercentage": 100,
                "DestinationS3Uri": f"s3://{BUCKET}/{capture}",
                "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            },
        )
        self.sagemaker.create_endpoint(EndpointName=self.config.endpoint.name, EndpointConfigName=config_name)

    def register(
        self, *, status: str = "Approved", properties: dict[str, str] | None = None, content_type: str = "text/csv"
    ) -> str:
        """Register a package of the model with this approval status."""
        groups = self.sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
        if not groups:
            self.sagemaker.create_model_package_group(ModelPackageGroupName=MODEL)
        container = {"Image": "i", "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"}
        answer = self.sagemaker.create_model_package(
            ModelPackageGroupName=MODEL,
            ModelApprovalStatus=status,
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": [content_type],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            # What Kedge registered has its baseline staged.
            CustomerMetadataProperties={"kedge:staged": "retraining/r/baseline"} if properties is None else properties,
        )
        return answer["ModelPackageArn"]


def moto_backend(service: str) -> Any:
    """moto's own record of a service: the one door to what no call can set or show."""
    return get_backend(service)[ACCOUNT]["aws" if service == "s3" else REGION]  # type: ignore[call-overload]


def set_endpoint(**fields: Any) -> Any:
    """Let the endpoint be what SageMaker makes of it in time (moto takes each into service at once), and return it."""
    endpoint = moto_backend("sagemaker").endpoints[MODEL]
    for name, value in fields.items():
        setattr(endpoint, name, value)
    return endpoint


def keep_what_is_not_mentioned(monkeypatch: Any) -> None:
    """Let the registry keep what an update does not mention, as SageMaker does: moto erases it."""
    erase = SageMakerModelBackend.update_model_package

    def update(backend: Any, model_package_arn: str, **changes: Any) -> str:
        names = backend.model_package_name_mapping
        known = backend.model_packages[names.get(model_package_arn, model_package_arn)]
        properties = {**(known.customer_metadata_properties or {}), **(changes["customer_metadata_properties"] or {})}
        changes |= {
            "model_approval_status": changes["model_approval_status"] or known.model_approval_status,
            "approval_description": changes["approval_description"] or known.approval_description,
            "customer_metadata_properties": properties,
        }
        return str(erase(backend, model_package_arn, **changes))

    monkeypatch.setattr(SageMakerModelBackend, "update_model_package", update)


@contextmanager
def aws_world(monkeypatch: Any, *, page_items: int | None = 2, **environment: str) -> Iterator[World]:
    """An account with Kedge's bucket, table and topics, and a function's environment; its pages hold two items, or AWS's number."""
    variables = {
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "POWERTOOLS_TRACE_DISABLED": "true",
        "DATA_BUCKET": BUCKET,
        "STATE_TABLE": TABLE,
        "ROLE_NAME": "jobs",
        **environment,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        forget_clients()
        # moto deletes whatever has the key.
        monkeypatch.setattr(S3Response, "_bucket_response_delete_keys", s3_conflicts.delete_keys)
        # moto has no lookup of CloudTrail's events.
        monkeypatch.setattr(CloudTrailResponse, "lookup_events", lambda _: '{"Events": []}', raising=False)
        # Nor a history of alarms.
        monkeypatch.setattr(
            CloudWatchResponse,
            "describe_alarm_history",
            lambda _: ActionResult({"AlarmHistoryItems": []}),
            raising=False,
        )
        keep_what_is_not_mentioned(monkeypatch)
        boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        deployed_models.put_all(boto3.client("s3"), BUCKET)
        make_state_table(boto3.client("dynamodb"), TABLE)
        with paging.in_pages(page_items) if page_items else nullcontext():
            yield World()
    forget_clients()
