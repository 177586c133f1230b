"""A small world for SageMaker's tests: an account with a bucket, a role, and a script that learns a mean."""

import io
import json
import tarfile
from datetime import UTC, datetime, timedelta

START = datetime(2016, 1, 1, tzinfo=UTC)
BUCKET = "data-bucket"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
OWN = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:*", "cloudwatch:DescribeAlarms"], "Resource": "*"}],
}

TRAIN = """
import argparse, json, os, shutil
parser = argparse.ArgumentParser()
parser.add_argument("--scale", type=float, default=1.0)
arguments = parser.parse_args()
with open(os.environ["SM_CHANNEL_TRAIN"] + "/train.csv") as file:
    labels = [float(line.split(",")[-1]) for line in file]
mean = arguments.scale * sum(labels) / len(labels)
model = os.environ["SM_MODEL_DIR"]
with open(model + "/model.json", "w") as file:
    json.dump({"mean": mean, "environment": dict(os.environ)}, file)
os.makedirs(model + "/code")
shutil.copyfile("inference.py", model + "/code/inference.py")
print(f"validation-mean={mean - 1};")
print(f"validation-mean={mean};")
"""

INFERENCE = """
import json

def model_fn(model_dir):
    with open(model_dir + "/model.json") as file:
        return json.load(file)["mean"]

def input_fn(body, content_type):
    if content_type == "application/json":
        return [json.loads(line)["x"] for line in body.splitlines()]
    return [float(line.split(",")[0]) for line in body.splitlines()]

def predict_fn(rows, mean):
    return [mean + row for row in rows]

def output_fn(predictions, accept):
    return "\\n".join(str(each) for each in predictions), accept
"""
BROKEN = INFERENCE.replace("return [mean + row for row in rows]", "raise RuntimeError('no such feature: meal')")


def archive(files):
    """A .tar.gz of texts by name."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


class World:
    """The account and what the tests do with it again and again."""

    def __init__(self, account):
        self.account = account
        self.s3, self.sagemaker = account.client("s3"), account.client("sagemaker")
        self.runtime, self.cloudwatch = account.client("sagemaker-runtime"), account.client("cloudwatch")
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": account.region})
        self.role = self.make_role("workshop", OWN)
        self.events = []
        publish = account.bus.publish

        def record(source, detail_type, detail, resources=None):
            self.events.append((detail_type, detail, resources))
            publish(source, detail_type, detail, resources)

        account.patch(account.bus, "publish", record)

    def make_role(self, name, policy):
        iam = self.account.client("iam")
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
        return role

    def pass_minutes(self, minutes):
        self.account.clock.advance_to(self.account.clock.now + timedelta(minutes=minutes))

    def put(self, key, body):
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        return f"s3://{BUCKET}/{key}"

    def read(self, key):
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def keys(self, prefix):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def statuses(self, detail_type, field):
        return [detail[field] for kind, detail, _ in self.events if kind == detail_type]

    # Models and endpoints -----------------------------------------------------------------------------------------

    def make_model(self, name, mean=1.0, script=INFERENCE, **container):
        files = {"model.json": json.dumps({"mean": mean}), "code/inference.py": script}
        uri = self.put(f"models/{name}.tar.gz", archive(files))
        definition = {"Image": "image", "ModelDataUrl": uri, **container}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=self.role, PrimaryContainer=definition)
        return uri

    def make_config(self, name, model, variant="AllTraffic", instances=2, capture=None):
        extra = {"DataCaptureConfig": capture} if capture else {}
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[
                {
                    "VariantName": variant,
                    "ModelName": model,
                    "InstanceType": "ml.m5.large",
                    "InitialInstanceCount": instances,
                }
            ],
            **extra,
        )

    def make_endpoint(self, name="bookings", config="config-1"):
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        self.pass_minutes(10)

    def describe(self, name="bookings"):
        return self.sagemaker.describe_endpoint(EndpointName=name)

    def ask(self, body="1", name="bookings", **more):
        request = {"ContentType": "text/csv", "Accept": "text/csv", **more}
        return self.runtime.invoke_endpoint(EndpointName=name, Body=body.encode(), **request)

    def answer(self, body="1", **more):
        return self.ask(body, **more)["Body"].read().decode()
