import json
import re

import pytest

from offline.iam import guard as iam
from tests.architecture.aws_calls import actions_of_handler, prefixes_of_handler, unknown_operations
from tests.architecture.state_machine_files import STACK_OF, load, states
from tests.synthesised import actions_of, functions, resources, statements_of

# What a role may do although no code of ours calls it, each with its reason.
IMPLIED_FOR_FUNCTIONS = {
    "logs:CreateLogStream": "Lambda writes the function's log",
    "logs:PutLogEvents": "Lambda writes the function's log",
    "xray:PutTraceSegments": "Lambda traces the function",
    "xray:PutTelemetryRecords": "Lambda traces the function",
    "kms:Decrypt": "S3, DynamoDB and SNS decrypt in the caller's name",
    "kms:GenerateDataKey": "S3, DynamoDB and SNS encrypt in the caller's name",
    "s3:ListBucket": "without it a missing object is answered as a forbidden one",
}
IMPLIED_FOR_CONSUMERS = {
    "sqs:ReceiveMessage": "Lambda polls the queue in the function's name",
    "sqs:DeleteMessage": "Lambda deletes what was handled",
    "sqs:ChangeMessageVisibility": "Lambda hands a failed message back",
    "sqs:GetQueueAttributes": "Lambda scales by the queue's depth",
    "sqs:GetQueueUrl": "CDK grants it with the others",
}
IMPLIED_FOR_ASYNCHRONOUS = {
    "sqs:SendMessage": "Lambda buries the events that failed to the end",
    "sqs:GetQueueAttributes": "CDK grants it with sending",
    "sqs:GetQueueUrl": "CDK grants it with sending",
}
# Of whom asks Athena: it works in the caller's name.
IMPLIED_FOR_QUERIES = {
    "athena:GetWorkGroup": "awswrangler looks up where the workgroup's results go",
    "glue:GetDatabase": "Athena finds a query's tables",
    "glue:GetTable": "Athena finds a query's tables",
    "glue:GetPartition": "Athena finds a table's partitions",
    "glue:GetPartitions": "Athena finds a table's partitions",
    "glue:BatchGetPartition": "Athena finds a table's partitions",
    "s3:GetBucketLocation": "Athena finds the bucket of its results",
    "s3:GetObject": "Athena reads",
    "s3:PutObject": "Athena writes",
    "s3:AbortMultipartUpload": "Athena writes large files in parts",
    "s3:ListMultipartUploadParts": "Athena writes large files in parts",
}
# Of a function that registers a package.
IMPLIED_FOR_REGISTERING = {
    "ecr:BatchGetImage": "CreateModelPackage looks at the image in the caller's name",
    "ecr:DescribeImages": "CreateModelPackage looks at the image in the caller's name",
}
IMPLIED_FOR_MACHINES = {
    "iam:PassRole": "SageMaker takes the execution role from the caller",
    "sagemaker:AddTags": "jobs, models and endpoints are created with tags",
    "sagemaker:ListTags": "`.sync` reads the job's tags",
    "events:PutTargets": "`.sync` hears of a job's end by a rule of its own",
    "events:PutRule": "`.sync` hears of a job's end by a rule of its own",
    "events:DescribeRule": "`.sync` hears of a job's end by a rule of its own",
    "sagemaker:DescribeModelPackage": "CreateModel reads the package in the caller's name",
    "kms:CreateGrant": "SageMaker uses the key for volumes by a grant that the caller makes",
    "kms:DescribeKey": "SageMaker looks at the key before it makes the grant",
    "cloudwatch:DescribeAlarms": "UpdateEndpoint looks at its rollback alarms in the caller's name",
    "s3:GetObject": "CreateModelPackage looks at the artefact in the caller's name",
    "ecr:BatchGetImage": "CreateModelPackage looks at the image in the caller's name",
    "ecr:DescribeImages": "CreateModelPackage looks at the image in the caller's name",
    "kms:Decrypt": "the state table and jobs' volumes are encrypted",
    "kms:GenerateDataKey": "the state table and jobs' volumes are encrypted",
    "xray:PutTraceSegments": "Step Functions traces the execution",
    "xray:PutTelemetryRecords": "Step Functions traces the execution",
    "xray:GetSamplingRules": "Step Functions traces the execution",
    "xray:GetSamplingTargets": "Step Functions traces the execution",
    "logs:CreateLogDelivery": "Step Functions sets up its own log delivery",
    "logs:GetLogDelivery": "Step Functions sets up its own log delivery",
    "logs:UpdateLogDelivery": "Step Functions sets up its own log delivery",
    "logs:DeleteLogDelivery": "Step Functions sets up its own log delivery",
    "logs:ListLogDeliveries": "Step Functions sets up its own log delivery",
    "logs:PutResourcePolicy": "Step Functions sets up its own log delivery",
    "logs:DescribeResourcePolicies": "Step Functions sets up its own log delivery",
    "logs:DescribeLogGroups": "Step Functions sets up its own log delivery",
}
# What a role may do only where a model's YAML names something: the tests of its stack see that it may then.
WHERE_A_MODEL_WANTS_IT = {
    "compare_models": {"lambda:InvokeFunction"},
    "approve_package": {"sagemaker:UpdateModelPackage"},
    "take_trained": {"sagemaker:DescribePipelineExecution", "sagemaker:ListPipelineExecutionSteps"},
    "settle": {"sagemaker:ListPipelineExecutions", "sagemaker:StopPipelineExecution"},
}
# What the machines do only for such a model.
BY_A_MACHINE_WHERE_A_MODEL_WANTS_IT = {
    "retrain.asl.json": {f"sagemaker:{verb}PipelineExecution" for verb in ("Start", "Describe", "Stop")}
}
# Prefixes that a handler is told at run time, each with who tells it.
PREFIXES_FROM_ELSEWHERE = {
    "measure_performance": {
        "predictions": "the day objects name their parts",
        "capture": "the day objects name what was counted",
        "athena": "the request names the join",
    },
    "compare_models": {
        "capture": "the day objects name what was counted",
        "predictions": "the day objects name their parts",
        "trained": "SageMaker says where the job has written",
    },
    "detect_drift": {"predictions": "the day objects name their parts"},
    "join_labels": {"predictions": "the day objects name their parts"},
    "snapshot_data": {"predictions": "the day objects name their parts"},
    "pin_artefact": {"trained": "SageMaker says where the job has written"},
    "build_baseline": {"trained": "SageMaker says where the job has written"},
    "plan_release": {
        "retraining": "the package's metadata says where its baseline is staged",
        "artefacts": "the package says where its artefact is",
    },
    "settle": {
        "retraining": "the package's metadata says where its baseline is staged",
        "artefacts": "the package says where its artefact is",
    },
}
# Prefixes that a handler only writes into a request of somebody else's.
NO_LOG = {"logs": "a model with a log has no endpoint, no package and no custom attributes: it does not come so far"}
PREFIXES_FOR_OTHERS = {
    **dict.fromkeys(
        (
            "watch_monitor",
            "watch_canary",
            "watch_experiment",
            "compare_models",
            "measure_performance",
            "replay_staging",
        ),
        NO_LOG,
    ),
    "plan_release": {"capture": "the endpoint writes there, with its execution role", **NO_LOG},
    "settle": {"capture": "the mail says where a config of a person's own is to capture to", **NO_LOG},
    "snapshot_data": {
        "trained": "the training job writes there, with its execution role",
        "scored": "the transform jobs write there, with theirs",
    },
}
FUNCTIONS = sorted(functions())


def allowed(path):
    function = functions()[path]
    return actions_of(path.split("/")[0], function["Properties"]["Role"]["Fn::GetAtt"][0])


def implied(path):
    stack, name = path.split("/")
    (logical_id,) = (
        each.split("/")[1]
        for each, function in resources("AWS::Lambda::Function", stack).items()
        if function["Properties"]["Handler"].endswith(f".{name}.handler")
    )
    implied = set(IMPLIED_FOR_FUNCTIONS)
    for kind, extra in (
        ("AWS::Lambda::EventSourceMapping", IMPLIED_FOR_CONSUMERS),
        ("AWS::Lambda::EventInvokeConfig", IMPLIED_FOR_ASYNCHRONOUS),
    ):
        if any(each["Properties"]["FunctionName"] == {"Ref": logical_id} for each in resources(kind, stack).values()):
            implied |= set(extra)
    calls = actions_of_handler(name)
    implied |= set(IMPLIED_FOR_REGISTERING) if "sagemaker:CreateModelPackage" in calls else set()
    return implied | (set(IMPLIED_FOR_QUERIES) if "athena:StartQueryExecution" in calls else set())


def allowed_prefixes(path):
    function = functions()[path]
    statements = statements_of(path.split("/")[0], function["Properties"]["Role"]["Fn::GetAtt"][0])
    return prefixes_of(statements, "ListPrefixes", "Condition") | prefixes_of(statements, "WriteObjects", "Resource")


def prefixes_of(statements, sid, part):
    said = json.dumps([each[part] for each in statements if each.get("Sid") == sid])
    return set(re.findall(r'"/?(\w+)/(?:[^"]*/)?\*"', said))


def task_actions(file):
    found = set()
    for _, state in states(load(file)):
        if state["Type"] == "Task":
            found |= set(actions_of_task(state["Resource"]))
    return found


def actions_of_task(resource):
    if resource.endswith("FunctionArn}") or resource.endswith(":lambda:invoke"):
        return ["lambda:InvokeFunction"]
    *_, service, call = resource.split(":")
    known = iam.OPERATIONS[{"sfn": "stepfunctions", "states": "stepfunctions"}.get(service, service)]
    operation = call[0].upper() + call[1:].removesuffix(".sync")
    beside = [operation.replace("Create", verb) for verb in ("Describe", "Stop")] if call.endswith(".sync") else []
    return [action for each in (operation, *beside) for action in known[each].actions]


def test_every_call_on_a_client_is_known():
    assert unknown_operations() == {}


@pytest.mark.parametrize("path", FUNCTIONS)
def test_a_role_allows_every_call_of_its_handler(path):
    name = path.split("/")[1]
    assert actions_of_handler(name) - allowed(path) - WHERE_A_MODEL_WANTS_IT.get(name, set()) == set()


@pytest.mark.parametrize("path", FUNCTIONS)
def test_a_role_allows_nothing_that_its_handler_does_not_call(path):
    assert allowed(path) - actions_of_handler(path.split("/")[1]) - implied(path) == set()


@pytest.mark.parametrize("path", FUNCTIONS)
def test_a_role_reaches_the_prefixes_that_its_handler_names_and_no_others(path):
    name = path.split("/")[1]
    named = prefixes_of_handler(name) - set(PREFIXES_FOR_OTHERS.get(name, {}))
    assert allowed_prefixes(path) == named | set(PREFIXES_FROM_ELSEWHERE.get(name, {}))


@pytest.mark.parametrize("file", STACK_OF)
def test_a_machines_role_allows_every_task(file):
    wanted = BY_A_MACHINE_WHERE_A_MODEL_WANTS_IT.get(file, set())
    assert task_actions(file) - machine_actions(file) - wanted == set()


@pytest.mark.parametrize("file", STACK_OF)
def test_a_machines_role_allows_nothing_that_no_task_does(file):
    assert machine_actions(file) - task_actions(file) - set(IMPLIED_FOR_MACHINES) == set()


def machine_actions(file):
    (machine,) = resources("AWS::StepFunctions::StateMachine", STACK_OF[file]).values()
    return actions_of(STACK_OF[file], machine["Properties"]["RoleArn"]["Fn::GetAtt"][0])
