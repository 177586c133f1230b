"""An endpoint of another team, its captures, and the command that adopts it."""

from datetime import UTC, datetime, timedelta

import numpy as np
from typer.testing import CliRunner

from cli.main import app
from tests.builders import capture_record, json_lines
from tests.handlers.aws_world import ACCOUNT, moto_backend

ENDPOINT, VARIANT, THEIRS = "payments", "main", "their-bucket"
URI = f"s3://{THEIRS}/team/captures"
BEGUN, NOW = datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
BOTH = [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}]


def deploy(world, *, modes=BOTH, capture=True, model=None, **config):
    """Make the endpoint as its team did."""
    container = {"Image": "i", "ModelDataUrl": "s3://x/model.tar.gz", **(model or {})}
    world.sagemaker.create_model(
        ModelName="payments-7", PrimaryContainer=container, ExecutionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/theirs"
    )
    variant = {
        "VariantName": VARIANT,
        "ModelName": "payments-7",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1.0,
    }
    variants = config.pop("variants", [variant])
    section = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 20,
        "DestinationS3Uri": URI,
        "CaptureOptions": modes,
    }
    world.sagemaker.create_endpoint_config(
        EndpointConfigName="payments-config",
        ProductionVariants=[{"ModelName": "payments-7", **each} for each in variants],
        **({"DataCaptureConfig": section} if capture else {}),
        **config,
    )
    world.sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="payments-config")
    stored = moto_backend("sagemaker").endpoint_configs["payments-config"].production_variants
    for kept, asked in zip(stored, variants, strict=True):
        if "ModelName" not in asked:
            # moto makes no variant without a model, and SageMaker does.
            del kept["ModelName"]


def captured(world, *, days=18, answer=None, payload=None, without=None):
    """Let the endpoint capture twenty requests a day, at nine in the morning; perhaps without one side of them."""
    random = np.random.default_rng(3)
    for day in range(days):
        time = BEGUN + timedelta(days=day)
        records = []
        for number in range(20):
            body = payload or f"{random.normal(50, 15):.2f},{random.integers(1, 6)},{random.choice(['DE', 'FR'])}"
            said = answer(random) if callable(answer) else answer or f"{random.uniform():.3f}"
            record = capture_record(body, said, eventId=f"{day}-{number}", inferenceTime=f"{time:%Y-%m-%dT%H:%M:%SZ}")
            if without is not None:
                del record["captureData"][without]
            records.append(record)
        key = f"team/captures/{ENDPOINT}/{VARIANT}/{time:%Y/%m/%d/%H}/a.jsonl"
        world.s3.put_object(Bucket=THEIRS, Key=key, Body=json_lines(*records))


def adopt(tmp_path, *options):
    return run(tmp_path, ENDPOINT, *options)


def run(tmp_path, *arguments):
    """Type the command, with a YAML of its own."""
    out = tmp_path / "payments.yaml"
    return CliRunner().invoke(app, ["adopt", "--out", str(out), *map(str, arguments)]), out
