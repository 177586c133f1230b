"""A team that knows nothing of Kedge: its bucket, its role, its model, its endpoint with captures of its own, and its clients."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from offline.account import Account

ENDPOINT, VARIANT, BUCKET = "payments", "main", "payments-team-logs"
CAPTURES = f"s3://{BUCKET}/team/captures"
SAMPLING_PERCENTAGE = 20
EVERY, REQUESTS, ROWS = timedelta(hours=4), 10, 20
ONE_VARIANT = {VARIANT: 1.0}
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
_INFERENCE = """
import math

def model_fn(model_dir):
    return None

def input_fn(body, content_type):
    body = body.decode() if isinstance(body, bytes) else body
    return [line.split(",") for line in body.splitlines()]

def predict_fn(rows, model):
    return [1 / (1 + math.exp(-(float(amount) - 50) / 20)) for amount, items, country in rows]

def output_fn(predictions, accept):
    return "\\n".join(str(each) for each in predictions), accept
"""


class OtherTeam:
    """Deploys with boto3 alone, and calls what it deployed."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.sagemaker, self.runtime = account.client("sagemaker"), account.client("sagemaker-runtime")
        self.captured_sides: tuple[str, ...] = ("Input", "Output")
        self._random = np.random.default_rng(7)

    def deploy(self) -> None:
        """Make the bucket, the role, the model and the endpoint, which captures a fifth of its requests."""
        place = {"LocationConstraint": self.account.region}
        self.account.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
        self.make_model("payments-7")
        self.make_config("payments-config", "payments-7")
        self.sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="payments-config")
        self.account.clock.advance_to(self.account.clock.now + timedelta(minutes=10))

    def make_model(self, name: str) -> None:
        """Make a model of a script, under the team's own role."""
        key = f"models/{name}.tar.gz"
        self.account.client("s3").put_object(Bucket=BUCKET, Key=key, Body=_artefact())
        container = {"Image": "payments-image", "ModelDataUrl": f"s3://{BUCKET}/{key}"}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=self._role(), PrimaryContainer=container)

    def make_config(self, name: str, *models: str, variants: Mapping[str, float] = ONE_VARIANT) -> None:
        """Make an endpoint config that captures where the team wants it; each variant has a weight, and a model of its own."""
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[
                {
                    "VariantName": variant,
                    "ModelName": model,
                    "InstanceType": "ml.m5.large",
                    "InitialInstanceCount": 1,
                    "InitialVariantWeight": weight,
                }
                for (variant, weight), model in zip(variants.items(), models, strict=True)
            ],
            DataCaptureConfig={
                "EnableCapture": True,
                "InitialSamplingPercentage": SAMPLING_PERCENTAGE,
                "DestinationS3Uri": CAPTURES,
                "CaptureOptions": [{"CaptureMode": side} for side in self.captured_sides],
                "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
            },
        )

    def ask_until(
        self, until: datetime, *, amount: float = 50.0, variant: str | None = None, every: timedelta = EVERY
    ) -> None:
        """Let the clients send their payments, several to a request; `amount` is what they pay on average.

        Where a variant is named, only the half of the clients that calls it by its name pays so.
        """
        while self.account.clock.now < until:
            for number in range(REQUESTS):
                named = variant is not None and number % 2 == 0
                self.runtime.invoke_endpoint(
                    EndpointName=ENDPOINT,
                    ContentType="text/csv",
                    Accept="text/csv",
                    Body=self._payments(amount if named or variant is None else 50.0),
                    **({"TargetVariant": variant} if named else {}),
                )
            self.account.clock.advance_to(min(self.account.clock.now + every, until))

    def looks(self) -> dict[str, Any]:
        """The endpoint as SageMaker describes it."""
        answer = dict(self.sagemaker.describe_endpoint(EndpointName=ENDPOINT))
        del answer["ResponseMetadata"]
        return answer

    def _payments(self, amount: float) -> str:
        draw = self._random
        amounts, items = draw.normal(amount, 15, ROWS).round(2), draw.integers(1, 6, ROWS)
        countries = draw.choice(["DE", "FR", "PT"], ROWS)
        return "\n".join(f"{a},{i},{c}" for a, i, c in zip(amounts, items, countries, strict=True))

    def _role(self) -> str:
        iam, name = self.account.client("iam"), "payments-team"
        if name not in [role["RoleName"] for role in iam.list_roles()["Roles"]]:
            own = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
            statement = {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:ListBucket"],
                "Resource": own,
            }
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_TRUST))
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
        return str(iam.get_role(RoleName=name)["Role"]["Arn"])


def _artefact() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("code/inference.py")
        member.size = len(_INFERENCE.encode())
        tar.addfile(member, io.BytesIO(_INFERENCE.encode()))
    return packed.getvalue()
