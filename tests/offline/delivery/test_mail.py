"""What is published to a topic reaches its subscriptions; e-mail ends as files that a mail program opens."""

import email
import json
from datetime import timedelta
from email.policy import default

import pytest
from botocore.exceptions import ClientError

from tests.offline.offline_world import NotingFunction, make_queue, messages


def _topic(account, *subscriptions):
    sns = account.client("sns")
    arn = sns.create_topic(Name="alerts")["TopicArn"]
    for protocol, endpoint, attributes in subscriptions:
        sns.subscribe(TopicArn=arn, Protocol=protocol, Endpoint=endpoint, Attributes=attributes)
    return arn


def _mails(account):
    paths = sorted(account.mail_directory.glob("*.eml"))
    return paths, [email.message_from_bytes(path.read_bytes(), policy=default) for path in paths]


def test_mail_is_a_file_that_a_mail_program_opens(account):
    topic = _topic(account, ("email", "ann@example.com", {}))
    account.clock.advance_to(account.clock.now + timedelta(hours=7, minutes=5))
    account.client("sns").publish(TopicArn=topic, Subject="CRITICAL: hotel drifts!", Message="adr moved.\nMärz")
    paths, mails = _mails(account)
    assert paths[0].name == "00001-2016-01-01T07-05-00Z-critical-hotel-drifts.eml"
    assert mails[0]["From"] == "AWS Notifications <no-reply@sns.amazonaws.com>"
    assert mails[0]["To"] == "ann@example.com"
    assert mails[0]["Subject"] == "CRITICAL: hotel drifts!"
    assert mails[0]["Date"].datetime == account.clock.now
    assert mails[0].get_content_type() == "text/plain"
    assert mails[0].get_content().startswith("adr moved.\nMärz\n")
    assert "unsubscribe" in mails[0].get_content()


def test_mails_are_numbered_in_order_and_one_without_a_subject_has_amazons(account):
    topic = _topic(account, ("email", "ann@example.com", {}), ("email-json", "bob@example.com", {}))
    account.client("sns").publish(TopicArn=topic, Message="text")
    paths, mails = _mails(account)
    assert [path.name[:5] for path in paths] == ["00001", "00002"]
    assert mails[0]["Subject"] == "AWS Notification Message"
    assert json.loads(mails[1].get_content())["Message"] == "text"


def test_queue_gets_the_notification_or_the_raw_message(account):
    url, arn = make_queue(account, "inbox", open_to="sns.amazonaws.com")
    raw_url, raw = make_queue(account, "raw", open_to="sns.amazonaws.com")
    topic = _topic(account, ("sqs", arn, {}), ("sqs", raw, {"RawMessageDelivery": "true"}))
    account.client("sns").publish(TopicArn=topic, Subject="s", Message="text")
    notice = json.loads(messages(account, url)[0]["Body"])
    assert (notice["Type"], notice["TopicArn"], notice["Subject"], notice["Message"]) == (
        "Notification",
        topic,
        "s",
        "text",
    )
    assert notice["Timestamp"] == "2016-01-01T00:00:00.000Z"
    assert messages(account, raw_url)[0]["Body"] == "text"


def test_queue_whose_policy_does_not_let_sns_in_gets_nothing(account):
    url, arn = make_queue(account, "closed")
    topic = _topic(account, ("sqs", arn, {}))
    account.client("sns").publish(TopicArn=topic, Message="text")
    assert messages(account, url) == []


def test_function_gets_the_sns_record(account):
    function = NotingFunction(account, "f").allow(account, "sns.amazonaws.com")
    topic = _topic(account, ("lambda", function.arn, {}))
    account.client("sns").publish(TopicArn=topic, Message="text")
    account.clock.advance_to(account.clock.now + timedelta(minutes=1))
    record = function.events()[0]["Records"][0]
    assert record["EventSource"] == "aws:sns"
    assert record["Sns"]["Message"] == "text"


def test_filter_policy_keeps_messages_out(account):
    policy = json.dumps({"severity": ["CRITICAL"]})
    topic = _topic(account, ("email", "ann@example.com", {"FilterPolicy": policy}))
    for severity in ("WARNING", "CRITICAL"):
        account.client("sns").publish(
            TopicArn=topic,
            Message=severity,
            MessageAttributes={"severity": {"DataType": "String", "StringValue": severity}},
        )
    _, mails = _mails(account)
    assert [mail.get_content().split()[0] for mail in mails] == ["CRITICAL"]


def test_https_endpoint_is_only_recorded(account):
    topic = _topic(account, ("https", "https://example.com/hook", {}))
    account.client("sns").publish(TopicArn=topic, Message="text")
    assert [(endpoint, notice["Message"]) for endpoint, notice in account.posted] == [
        ("https://example.com/hook", "text")
    ]


@pytest.mark.parametrize("subject", ["x" * 101, "Größe", "two\nlines", " leading blank"])
def test_subject_that_sns_refuses_is_refused(account, subject):
    topic = _topic(account)
    with pytest.raises(ClientError, match="Subject"):
        account.client("sns").publish(TopicArn=topic, Subject=subject, Message="text")


def test_message_is_limited_in_bytes_not_characters(account):
    topic = _topic(account)
    account.client("sns").publish(TopicArn=topic, Subject="x" * 100, Message="a" * 262_144)
    with pytest.raises(ClientError, match="too long"):
        account.client("sns").publish(TopicArn=topic, Message="ä" * 140_000)


def test_subscriptions_that_are_not_imitated_are_refused(account):
    with pytest.raises(ClientError, match="not imitated"):
        _topic(account, ("sms", "+4912345678", {}))


def test_an_address_that_no_mail_reaches_stays_pending_and_hears_nothing(account):
    topic = _topic(account, ("email", "ann@example.invalid", {}))
    account.client("sns").publish(TopicArn=topic, Message="text")
    (listed,) = account.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed["SubscriptionArn"] == "PendingConfirmation"
    assert _mails(account) == ([], [])
