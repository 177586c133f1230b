"""Each channel that some route leads to has a queue of its own; what no model uses is not made."""

import json

from lambdas.adapters.channels.sending import RETRY_AFTER_MAX
from tests.synthesised import assembly, resources, statements_of

CHANNELS = {"slack", "teams", "pagerduty", "opsgenie", "webhook"}


def test_nothing_is_made_where_mail_is_the_only_channel():
    template = json.loads((assembly() / "KedgeMonitoring.template.json").read_text())
    assert not [name for name in template["Resources"] if name.startswith(("To", "Deliver"))]


def test_each_channels_queue_gets_the_messages_of_its_channel_alone_and_as_they_were_published():
    every = [each["Properties"] for each in resources("AWS::SNS::Subscription", "KedgeMonitoring").values()]
    found = [each for each in every if "channels" in each["FilterPolicy"]]  # the others are the pages'
    assert {each["Protocol"] for each in found} == {"sqs"}
    assert all(each["RawMessageDelivery"] is True for each in found)
    assert sorted(each["FilterPolicy"]["channels"][0] for each in found) == sorted(CHANNELS)
    assert len({json.dumps(each["Endpoint"]) for each in found}) == len(CHANNELS)


def test_a_queue_keeps_a_message_for_longer_than_all_its_tries_may_take():
    queues = {path: each["Properties"] for path, each in resources("AWS::SQS::Queue", "KedgeMonitoring").items()}
    found = [each for path, each in queues.items() if "/To" in path and "DeadLetters" not in path]
    assert len(found) == len(CHANNELS)
    for queue in found:
        longest = int(queue["RedrivePolicy"]["maxReceiveCount"]) * RETRY_AFTER_MAX
        assert longest < queue["MessageRetentionPeriod"]


def test_a_failing_message_holds_up_neither_its_batch_nor_another_channel():
    mappings = [
        each["Properties"]
        for path, each in resources("AWS::Lambda::EventSourceMapping", "KedgeMonitoring").items()
        if "/Deliver" in path
    ]
    assert len(mappings) == len(CHANNELS)
    for mapping in mappings:
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["ScalingConfig"]["MaximumConcurrency"] >= 2


def test_the_function_reads_the_secrets_of_kedge_and_no_others():
    (role,) = [path for path in resources("AWS::IAM::Role", "KedgeMonitoring") if "/DeliverRole" in path]
    (statement,) = [each for each in statements_of(*role.split("/")) if each.get("Sid") == "ReadSecrets"]
    assert statement["Action"] == "secretsmanager:GetSecretValue"
    assert json.dumps(statement["Resource"]).endswith(':secret:kedge/*"]]}')


def test_no_template_holds_more_of_a_secret_than_its_name():
    for path, function in resources("AWS::Lambda::Function").items():
        assert "kedge/" not in json.dumps(function["Properties"].get("Environment", {})), path
