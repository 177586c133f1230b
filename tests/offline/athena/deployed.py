"""The account with the templates deployed, and a window that was answered and labelled, for Athena to join."""

import io
import json
from datetime import UTC, datetime

import pyarrow.parquet as pq

from kedge.profile.day import DayProfile, encode_day
from kedge.window_sql.joined import JoinedRows
from lambdas.adapters import athena_joins
from lambdas.adapters.state import champions
from lambdas.adapters.state.champions import Champion
from lambdas.steps.measuring.join_window import measured_columns
from tests import deployed_models
from tests.label_joins import answered, labelled

MODEL = "hotel-cancellations"
START = datetime(2016, 1, 4, 6, tzinfo=UTC)
END = datetime(2016, 1, 6, 18, tzinfo=UTC)
COLUMNS = ("prediction", "lead_time", "market_segment")
CONFIG = deployed_models.config_of(MODEL)
SCHEMA = JoinedRows(CONFIG, tuple(measured_columns(CONFIG)), "", "", "", "", END).schema


class Deployed:
    """The account with the templates deployed, a champion, and what was answered and labelled."""

    def __init__(self, account):
        self.account, self.s3 = account, account.client("s3")
        self.bucket = self.physical("KedgeStorage", "Data")
        self.table = self.physical("KedgeStorage", "State")
        self.vouched = []

    def physical(self, stack, start):
        found = self.account.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
        kinds = ("AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::Lambda::Function")
        named = {
            each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found if each["ResourceType"] in kinds
        }
        return min((name, value) for name, value in named.items() if name.startswith(start))[1]

    def promote(self):
        arn = f"arn:aws:sagemaker:eu-west-1:{self.account.account_id}:model-package/{MODEL}/3"
        champion = Champion(arn, "3", "3", datetime(2016, 1, 1, tzinfo=UTC), None, "v3", "v3")
        champions.save(self.account.client("dynamodb"), self.table, MODEL, champion)

    def put(self, key, table):
        sink = io.BytesIO()
        pq.write_table(table, sink)
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=sink.getvalue())
        return key

    def part(self, day, name, rows, *, package="3"):
        table = answered(rows, CONFIG)
        return self.put(f"predictions/{MODEL}/package={package}/date={day}/{name}.parquet", table), table

    def vouch(self, day, *parts):
        """Let the day's object name these parts, and no other."""
        body = encode_day(DayProfile(parts=tuple(key for key, _ in parts)))
        self.s3.put_object(Bucket=self.bucket, Key=f"profiles/{MODEL}/3/3/{day}.npz", Body=body)
        self.vouched += [table for _, table in parts]

    def label(self, by_day):
        for day, rows in by_day.items():
            self.put(f"labelled/{MODEL}/date={day}/labels.parquet", labelled(rows, CONFIG))

    def join(self, *, start=START, end=END, message="a message"):
        window = {"start": "2016-01-04T00:00:00Z", "end": end.isoformat()}
        time = datetime(2016, 2, 1, 2, tzinfo=UTC).isoformat()
        body = {"model": MODEL, "time": time, "window": window, "start": start.isoformat()}
        event = {"Records": [{"messageId": message, "body": json.dumps(body)}]}
        return self.account.invoke_function(self.physical("KedgeMonitoring", "JoinLabels"), event)

    def joined(self, answer):
        keys = athena_joins.load_list(self.s3, self.bucket, f"{answer['joined_prefix']}rows/") or []
        found = athena_joins.load_unloaded(self.s3, self.bucket, keys, SCHEMA)
        return found.select(["kedge_row_id", "kedge_time", *COLUMNS, "label", "kedge_collected"])

    def queries(self):
        """How many queries were started."""
        return [call.operation for call in self.account.calls].count("StartQueryExecution")

    def sent_back(self):
        url = self.physical("KedgeMonitoring", "Performances")
        found = self.account.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in found]
