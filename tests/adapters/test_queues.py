"""Messages leave in batches of ten, and one that SQS refuses is not lost in silence."""

import json

import pytest

from kedge.errors import MessagesUndeliveredError
from lambdas.adapters import queues


class Sqs:
    """SQS that refuses some messages some times."""

    def __init__(self, refusals):
        self.refusals, self.batches = dict(refusals), []

    def send_message_batch(self, *, QueueUrl, Entries):  # noqa: N803  # AWS's own names
        self.batches.append([json.loads(entry["MessageBody"])["n"] for entry in Entries])
        failed = []
        for entry in Entries:
            number = json.loads(entry["MessageBody"])["n"]
            if self.refusals.get(number, 0):
                self.refusals[number] -= 1
                failed.append({"Id": entry["Id"], "SenderFault": False, "Code": "ThrottlingException"})
        return {"Failed": failed} if failed else {"Successful": []}


def bodies(count):
    return [{"n": n} for n in range(count)]


def test_a_thousand_messages_are_a_hundred_calls():
    sqs = Sqs({})
    queues.send_all(sqs, "q", bodies(1000))
    assert [len(batch) for batch in sqs.batches] == [10] * 100


def test_what_was_refused_is_sent_once_more():
    sqs = Sqs({3: 1, 17: 1})
    queues.send_all(sqs, "q", bodies(25))
    assert sqs.batches[-1] == [3, 17]


def test_what_is_refused_twice_is_raised():
    with pytest.raises(MessagesUndeliveredError, match="1 messages"):
        queues.send_all(Sqs({3: 2}), "q", bodies(5))


def test_nothing_to_send_calls_nobody():
    sqs = Sqs({})
    queues.send_all(sqs, "q", [])
    assert sqs.batches == []
