"""`kedge doctor` against the deployed system over HTTP: a healthy one passes, and each planted fault is found by name."""

import json
import shutil
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from cli.doctor import Verdict, examine
from cli.doctor.checklist import print_checklist
from cli.doctor.checks.installation import Installation
from cli.doctor.checks.models import activity, judgement
from cli.doctor.every_check import CHECKS
from cli.doctor.findings import ok
from cli.main import app
from cli.operator.deployment import Deployment
from cli.smoke.model import DEFINITION
from kedge.config.reading import parse_model_config
from kedge.retraining.state import RetrainingStart
from lambdas.adapters.state import champions
from lambdas.adapters.state.champions import Champion
from offline.account import Account
from tests.offline.sagemaker_world import INFERENCE, archive
from tests.synthesised import assembly, example_models

MODEL = "hotel-cancellations"
START = datetime(2016, 2, 1, 12, tzinfo=UTC)
ENDPOINT_QUOTA = "ml.m5.large for endpoint usage"


class Deployed:
    """The deployed account, and a person who looks at it."""

    def __init__(self, account, server):
        self.account, self.url = account, server.url
        self.installation = self.look_anew()
        self.bucket, self.table = self.installation.deployment.bucket, self.installation.deployment.table

    def look_anew(self, models=None):
        return Installation(Deployment(region=None, endpoint_url=self.url), models or example_models())

    def types(self, *arguments):
        return CliRunner().invoke(
            app, ["doctor", *arguments, "--models", str(example_models()), "--endpoint-url", self.url]
        )

    def faults(self, check, **anew):
        return [each for each in CHECKS[check](self.look_anew(**anew)) if each.verdict is not Verdict.OK]

    def fault(self, check):
        (found,) = self.faults(check)
        return found

    def name(self, kind, start):
        return next(e.physical_id for e in self.installation.resources(kind) if e.logical_id.startswith(start))

    def client(self, service):
        return self.account.client(service)

    def serve(self, endpoint_config, *, capture=True):
        """Have the champion's endpoint serve a new config."""
        request = {"EndpointName": MODEL, "EndpointConfigName": self.config(endpoint_config, capture=capture)}
        self.client("sagemaker").update_endpoint(**request)
        self.settle()

    def settle(self):
        self.account.clock.advance_to(self.account.clock.now + timedelta(minutes=40))

    def config(self, name, *, capture=True, beside=(), **more):
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": "scorer",
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 2,
        }
        self.client("sagemaker").create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[variant, *beside],
            DataCaptureConfig={
                "EnableCapture": capture,
                "InitialSamplingPercentage": 100,
                "DestinationS3Uri": f"s3://{self.bucket}/capture/{MODEL}/1",
                "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            },
            **more,
        )
        return name


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    templates = assembly()  # before the account's clock starts
    with Account(start=START, directory=tmp_path_factory.mktemp("account")) as account:
        account.deploy(templates)
        world = Deployed(account, account.serve(0))
        # A day on: the daily schedules and the watch have fired.
        account.clock.advance_to(START + timedelta(hours=27))
        yield world


@pytest.fixture(scope="module")
def healthy(deployed):
    """What is printed before any fault is planted."""
    return deployed.types(), deployed.types("--json")


@pytest.fixture(scope="module")
def served(deployed, healthy):
    """The champion's endpoint in service, with its capture on."""
    files = archive({"model.json": '{"mean": 0.5}', "code/inference.py": INFERENCE})
    deployed.client("s3").put_object(Bucket=deployed.bucket, Key="artefacts/model.tar.gz", Body=files)
    role = next(e for e in deployed.installation.resources("AWS::IAM::Role") if "Serving" in e.logical_id)
    arn = deployed.client("iam").get_role(RoleName=role.physical_id)["Role"]["Arn"]
    image = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:1.7-1"
    container = {
        "Image": image,
        "ModelDataUrl": f"s3://{deployed.bucket}/artefacts/model.tar.gz",
        "Environment": {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"},
    }
    sagemaker = deployed.client("sagemaker")
    sagemaker.create_model(ModelName="scorer", PrimaryContainer=container, ExecutionRoleArn=arn)
    sagemaker.create_endpoint(EndpointName=MODEL, EndpointConfigName=deployed.config("v1"))
    deployed.settle()
    promote(deployed, "v1")
    return deployed


def promote(deployed, endpoint_config):
    now = deployed.account.clock.now
    champion = Champion("arn:1", "1", "1", now, now, endpoint_config, "scorer", None)
    champions.save(deployed.client("dynamodb"), deployed.table, MODEL, champion)


def test_a_healthy_account_passes_and_is_told_what_comes_next(healthy):
    printed, _ = healthy
    assert printed.exit_code == 0, printed.output
    assert "0 failed, 0 unknown" in printed.output
    assert f'do: kedge retrain {MODEL} --initial --reason "the first champion"' in printed.output
    assert all(len(line) <= 80 or line.strip().startswith("do: ") for line in printed.output.splitlines())


def test_the_json_is_every_finding_of_every_check(healthy):
    _, printed = healthy
    found = json.loads(printed.stdout)
    assert {tuple(each) for each in found} == {("check", "subject", "verdict", "reason", "remedy")}
    assert set(CHECKS) - {each["check"] for each in found} == {"endpoints", "secrets", "streams"}  # no model serves yet
    assert all(each["remedy"] for each in found if each["verdict"] != "ok")


def test_looking_raises_no_alarm_and_writes_nothing(deployed, healthy):
    errors = deployed.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Errors",
        StartTime=START,
        EndTime=START + timedelta(days=2),
        Period=86400,
        Statistics=["Sum"],
        Dimensions=[{"Name": "FunctionName", "Value": deployed.name("AWS::Lambda::Function", "Tell")}],
    )
    assert [point["Sum"] for point in errors["Datapoints"]] == [0.0]
    found = deployed.client("s3").list_objects_v2(Bucket=deployed.bucket)["Contents"]
    (page,) = [each for each in found if not each["Key"].startswith("deployed/")]
    assert page["Key"] == "reports/index.html"  # the hourly page of all models
    assert not list(deployed.account.mail_directory.glob("*.eml"))


def test_a_schedule_fired_where_its_function_logged_the_end_of_its_run(deployed, healthy):
    reasons = [finding.reason for finding in CHECKS["schedules"](deployed.look_anew())]
    assert "fired at 2016-02-02 00:30 UTC" in reasons


def test_without_a_deployment_it_looks_at_what_comes_before_one(deployed):
    result = deployed.types("--region", "us-west-2")
    assert "no stack of Kedge is in account 123456789012, region us-west-2" in result.output
    assert "kedge doctor --region eu-west-1" in result.output
    assert result.exit_code == 1  # this region was not bootstrapped either


def test_where_nobody_answers_there_is_one_finding_and_the_exit_code_2():
    result = CliRunner().invoke(app, ["doctor", "--endpoint-url", "http://127.0.0.1:9", "--region", "eu-west-1"])
    assert result.exit_code == 2
    assert "0 ok, 0 warning, 0 failed, 1 unknown" in result.output


def test_a_call_that_is_denied_names_its_permission_and_stops_no_other_check(deployed, monkeypatch):
    def refused(_installation):
        error = {
            "Code": "AccessDenied",
            "Message": "User: ann is not authorized to perform: sqs:GetQueueAttributes on *",
        }
        raise ClientError({"Error": error}, "GetQueueAttributes")
        yield

    monkeypatch.setitem(CHECKS, "queues", refused)
    monkeypatch.setitem(CHECKS, "functions", lambda _: iter(()))
    monkeypatch.setitem(CHECKS, "roles", lambda _: iter(()))
    findings = examine(Deployment(region=None, endpoint_url=deployed.url), example_models())
    (denied,) = [finding for finding in findings if finding.check == "queues"]
    assert (denied.verdict, denied.reason) == (Verdict.UNKNOWN, "you may not call sqs:GetQueueAttributes")
    assert [finding for finding in findings if finding.check == "alarms"]


def test_a_missing_bootstrap(deployed, healthy):
    ssm, name = deployed.client("ssm"), "/cdk-bootstrap/hnb659fds/version"
    value = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    ssm.delete_parameter(Name=name)
    found = deployed.fault("bootstrap")
    ssm.put_parameter(Name=name, Value=value, Type="String")
    assert (found.subject, found.verdict) == (name, Verdict.FAILED)
    assert found.remedy == "npx --yes aws-cdk bootstrap aws://123456789012/eu-west-1"


def test_a_stack_that_was_rolled_back(deployed, healthy):
    stack = deployed.account.backend("cloudformation").get_stack("KedgeRelease")
    before, stack.status = stack.status, "UPDATE_ROLLBACK_COMPLETE"
    found = deployed.fault("stacks")
    stack.status = before
    assert (found.subject, found.verdict) == ("KedgeRelease", Verdict.FAILED)
    assert found.reason.startswith("the last deployment was rolled back")


def test_a_quota_of_none_for_the_models_instance_type(deployed, healthy):
    quotas = deployed.account.quotas
    before, quotas["sagemaker", ENDPOINT_QUOTA] = quotas["sagemaker", ENDPOINT_QUOTA], 0.0
    found = deployed.fault("quotas")
    quotas["sagemaker", ENDPOINT_QUOTA] = before
    assert (found.subject, found.verdict) == (ENDPOINT_QUOTA, Verdict.FAILED)
    assert found.reason == "the quota is 0; 4 are needed: 2 serve, and a release needs its fleet twice"
    assert "--desired-value 4" in found.remedy


@contextmanager
def policy_of(deployed, role, change):
    """Have a role's policy changed behind CloudFormation's back."""
    iam = deployed.client("iam")
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    before = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    changed = {**before, "Statement": change(before["Statement"])}
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(changed))
    yield
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(before))


@pytest.mark.parametrize("sid", ["Send", "NeverApprove"])
def test_a_role_that_lost_a_statement(deployed, healthy, sid):
    role = deployed.name("AWS::IAM::Role", "FanOutRole")
    with policy_of(deployed, role, lambda statements: [each for each in statements if each.get("Sid") != sid]):
        found = deployed.fault("roles")
    assert found.subject.endswith(f"role/{role}")
    assert f"the role lost what its template gives it: {sid} (" in found.reason
    assert "--stack-name KedgeMonitoring --change-set-name restore" in found.remedy
    assert "REVERT_DRIFT" in found.remedy


def test_a_deny_that_was_added_to_a_role(deployed, healthy):
    role = deployed.name("AWS::IAM::Role", "FanOutRole")
    deny = {"Effect": "Deny", "Action": "sqs:SendMessage", "Resource": "*"}
    with policy_of(deployed, role, lambda statements: [*statements, deny]):
        found = deployed.fault("roles")
    assert "an explicit deny in a policy of its own forbids sqs:SendMessage" in found.reason


def test_a_role_under_a_permissions_boundary(deployed, healthy):
    iam, role = deployed.client("iam"), deployed.name("AWS::IAM::Role", "TellRole")
    statement = {"Effect": "Allow", "NotAction": "sns:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=document)["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=boundary)
    found = deployed.fault("roles")
    iam.delete_role_permissions_boundary(RoleName=role)
    assert found.reason == f"its permissions boundary {boundary} does not allow sns:Publish"
    assert f"aws iam delete-role-permissions-boundary --role-name {role}" in found.remedy


def test_a_key_that_was_disabled(deployed, healthy):
    kms, key = deployed.client("kms"), deployed.name("AWS::KMS::Key", "Key")
    kms.disable_key(KeyId=key)
    found = deployed.fault("keys")
    kms.enable_key(KeyId=key)
    assert "the key is Disabled" in found.reason
    assert found.remedy == f"aws kms enable-key --key-id {found.subject}"


def test_an_address_that_never_confirmed_hears_nothing(deployed, healthy):
    sns, topic = deployed.client("sns"), deployed.name("AWS::SNS::Topic", "Alerts")
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ann@example.invalid")
    found = deployed.fault("subscriptions")
    assert (found.subject, found.verdict) == (topic, Verdict.WARNING)  # another address has confirmed
    assert found.reason == "ann@example.invalid has not confirmed its subscription, and gets no message"
    assert "click the link" in found.remedy

    for each in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=each["SubscriptionArn"])
    assert deployed.fault("subscriptions").verdict is Verdict.FAILED


def test_a_function_whose_layer_lacks_a_module(deployed, healthy, tmp_path):
    functions, name = deployed.account.functions, deployed.name("AWS::Lambda::Function", "FanOut")
    properties, asset = functions._declared[name]
    package = tmp_path / "package"
    shutil.copytree(asset, package)
    handler = package / "lambdas" / "handlers" / "fan_out.py"
    handler.write_text(f"{handler.read_text()}\nimport of_no_layer\n")
    sandboxes, functions._sandboxes = functions._sandboxes, {}
    functions.register(name, properties, package)
    found = deployed.fault("functions")
    functions.register(name, properties, asset)
    functions._sandboxes = sandboxes
    assert (found.subject, found.verdict) == (name, Verdict.FAILED)
    assert "Runtime.ImportModuleError" in found.reason
    assert "No module named 'of_no_layer'" in found.reason
    assert found.remedy.startswith("make layers && make deploy")


def test_a_schedule_that_was_switched_off(deployed, healthy):
    scheduler, name = deployed.client("scheduler"), deployed.name("AWS::Scheduler::Schedule", "ProfileDaily")
    shown = scheduler.get_schedule(Name=name)
    wanted = ("Name", "ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "Target")
    request = {key: shown[key] for key in wanted}
    scheduler.update_schedule(**request, State="DISABLED")
    found = deployed.fault("schedules")
    scheduler.update_schedule(**request, State="ENABLED")
    assert (found.subject, found.verdict) == (name, Verdict.FAILED)
    assert "switched off" in found.reason
    assert name in found.remedy


def test_a_message_among_the_dead_letters(deployed, healthy):
    sqs, url = deployed.client("sqs"), deployed.name("AWS::SQS::Queue", "ProfilesDeadLetters")
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    found = deployed.fault("queues")
    sqs.purge_queue(QueueUrl=url)
    assert found.subject.endswith(url.rpartition("/")[2])
    assert "1 failed to the end" in found.reason
    assert f"aws sqs start-message-move-task --source-arn {found.subject}" in found.remedy


def test_a_function_that_no_longer_reads_its_queue(deployed, healthy):
    client, uuid = deployed.client("lambda"), deployed.name("AWS::Lambda::EventSourceMapping", "ProfileLogs")
    client.update_event_source_mapping(UUID=uuid, Enabled=False)
    found = deployed.fault("queues")
    client.update_event_source_mapping(UUID=uuid, Enabled=True)
    assert found.remedy == f"aws lambda update-event-source-mapping --uuid {uuid} --enabled"


def test_an_alarm_in_alarm_and_one_that_may_tell_nobody(deployed, healthy):
    cloudwatch = deployed.client("cloudwatch")
    ringing, silent = (deployed.name("AWS::CloudWatch::Alarm", start) for start in ("TellErrors", "FanOutErrors"))
    cloudwatch.set_alarm_state(AlarmName=ringing, StateValue="ALARM", StateReason="planted")
    cloudwatch.disable_alarm_actions(AlarmNames=[silent])
    found = {finding.subject: finding for finding in deployed.faults("alarms")}
    cloudwatch.set_alarm_state(AlarmName=ringing, StateValue="OK", StateReason="mended")
    cloudwatch.enable_alarm_actions(AlarmNames=[silent])
    assert set(found) == {ringing, silent}
    assert "Kedge: Tell failed 3 times within an hour" in found[ringing].reason
    assert found[silent].remedy == f"aws cloudwatch enable-alarm-actions --alarm-names {silent}"


def test_a_model_says_when_it_was_last_counted_and_retrained():
    started = RetrainingStart(START, "manual", "manual-1")
    assert activity(START, started) == (
        f"captures were last counted at {START:%Y-%m-%d %H:%M} UTC; the last retraining began at {START:%Y-%m-%d %H:%M} UTC (manual)"
    )
    assert activity(None, None) == "no capture was counted yet; no retraining was started yet"


def test_what_is_well_is_told_whole(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    long = f"version 1 serves{'; and so on' * 20}"
    print_checklist([replace(ok("mine", long), check="models"), replace(ok("other", long), check="models")])
    told = " ".join(capsys.readouterr().out.split())
    assert f"models: mine: {long}" in told
    assert f"models: other: {long}" in told


def test_the_smokes_model_is_trained_by_the_smoke_alone():
    smoke = parse_model_config(DEFINITION.read_text(), source=DEFINITION.name)
    found = judgement(smoke, None, None, START)
    assert (found.subject, found.verdict) == ("kedge-smoke", Verdict.WARNING)
    assert found.remedy.startswith("kedge smoke, ")


def test_a_model_that_is_deployed_without_its_yaml_and_the_other_way_round(deployed, healthy, tmp_path):
    text = (example_models() / f"{MODEL}.yaml").read_text().replace(MODEL, "parcels")
    (tmp_path / "parcels.yaml").write_text(text)
    found = {finding.subject: finding.reason for finding in deployed.faults("models", models=tmp_path)}
    assert "is not deployed" in found["parcels"]
    assert f"has no {MODEL}.yaml" in found[MODEL]


def test_a_definition_that_a_hand_deleted_or_changed_in_the_bucket(deployed, healthy):
    s3, place = deployed.client("s3"), {"Bucket": deployed.bucket, "Key": f"deployed/{MODEL}.yaml"}
    text = s3.get_object(**place)["Body"].read()
    s3.delete_object(**place)
    (gone,) = [found for found in deployed.faults("models") if found.verdict is Verdict.FAILED]
    s3.put_object(**place, Body=text + b"# by hand")
    (changed,) = [found for found in deployed.faults("models") if place["Key"] in found.reason]
    s3.put_object(**place, Body=text)
    assert (gone.subject, changed.subject, changed.verdict) == (MODEL, MODEL, Verdict.WARNING)
    assert gone.reason.endswith(f"deployed/{MODEL}.yaml is gone: nothing is done for it")
    assert gone.remedy == changed.remedy == "change any YAML in models/, a comment is enough, and make deploy"
    assert not [found for found in deployed.faults("models") if place["Key"] in found.reason]


@pytest.mark.parametrize("kind", ["ShadowProductionVariants", "beside"])
def test_a_version_that_is_tried_beside_the_champion_is_no_fault(served, kind):
    tried = {"VariantName": "kedge-challenger-v3", "ModelName": "scorer", "InstanceType": "ml.m5.large"}
    name = served.config(f"tried-{kind}", **{kind: [tried | {"InitialInstanceCount": 1}]})
    served.client("sagemaker").update_endpoint(EndpointName=MODEL, EndpointConfigName=name)
    served.settle()
    found = served.faults("endpoints")
    served.client("sagemaker").update_endpoint(EndpointName=MODEL, EndpointConfigName="v1")
    served.settle()
    assert found == served.faults("endpoints") == []


def test_an_endpoint_whose_capture_was_switched_off(served):
    assert served.faults("endpoints") == []
    served.serve("mute", capture=False)
    promote(served, "mute")
    found = served.fault("endpoints")
    promote(served, "v1")
    (changed, _) = served.faults("endpoints")
    served.serve("v2")
    promote(served, "v2")
    assert found.subject.endswith(f"endpoint/{MODEL}")
    assert (found.verdict, found.reason) == (Verdict.FAILED, "Data Capture is off, so Kedge sees no request")
    assert changed.remedy.endswith("--endpoint-config-name v1")


@pytest.mark.slow
def test_a_champion_that_is_not_judged_any_more(served):
    served.account.clock.advance_to(served.account.clock.now + timedelta(days=15))
    found = served.fault("models")
    promote(served, "v2")
    assert (found.subject, found.verdict) == (MODEL, Verdict.FAILED)
    assert "not judged for 2.1 of its cadences (weekly)" in found.reason


def test_an_endpoint_that_was_deleted(served):
    served.client("sagemaker").delete_endpoint(EndpointName=MODEL)
    served.settle()
    found = served.fault("endpoints")
    assert (found.subject, found.verdict) == (MODEL, Verdict.FAILED)
    assert "the endpoint is gone" in found.reason
    assert f"aws sagemaker create-endpoint --endpoint-name {MODEL}" in found.remedy
