"""What a run takes, by hand arithmetic."""

import pytest

from kedge.cost.work import Function, Work, unit_of

COUNTS = Work(0.5, {"s3 GetObject": 2})
PER_ROW = Work(0.001, {"s3 PutObject": 0.1})


def function(memory_mib=2048):
    return Function(memory_mib, 600, 1.0, COUNTS, {"rows": PER_ROW})


def test_a_run_is_its_start_its_fixed_work_and_what_each_thing_adds():
    work = function().run(rows=1000, labels=7)
    assert work.cpu_seconds == pytest.approx(1.0 + 0.5 + 1.0)
    assert work.calls == pytest.approx({"s3 GetObject": 2, "s3 PutObject": 100})


def test_little_memory_is_a_share_of_a_core_and_much_is_no_more_than_one():
    work = Work(1.0)
    assert function(3538).seconds(work) == 1.0
    assert function(1769).seconds(work) == 1.0
    assert function(512).seconds(work) == pytest.approx(1769 / 512)
    # Half a core for twice as long is paid like a whole one.
    assert function(512).gb_seconds(work) == pytest.approx(1769 / 1024)


def test_calls_are_waited_for_and_reads_of_objects_ten_at_once():
    assert Work(0, {"s3 PutObject": 1, "s3 GetObject": 10, "sqs SendMessage": 1}).waited_seconds() == pytest.approx(
        0.03 + 0.02 + 0.01
    )


def test_a_call_of_many_parts_is_waited_for_once_and_billed_by_each():
    work = Work(
        0,
        {
            "dynamodb BatchGetItem": 1,
            "dynamodb BatchGetItem item": 90,
            "cloudwatch GetMetricData": 1,
            "cloudwatch GetMetricData metric": 3,
        },
    )
    assert work.billed() == {"DynamoDB read": 90, "CloudWatch read": 3}
    assert work.waited_seconds() == pytest.approx(0.005 + 0.03)


@pytest.mark.parametrize(
    ("call", "unit"),
    [
        ("s3 HeadObject", "S3 read"),
        ("s3 ListObjectsV2", "S3 write"),
        ("s3 UploadPart", "S3 write"),
        ("dynamodb Query", "DynamoDB read"),
        ("dynamodb DeleteItem", "DynamoDB write"),
        ("cloudwatch PutMetricData", "CloudWatch write"),
        ("cloudwatch DescribeAlarms", None),
        ("sagemaker ListEndpoints", None),
        ("sns Publish", "SNS publish"),
    ],
)
def test_each_call_is_billed_as_aws_bills_it(call, unit):
    assert unit_of(call) == unit


def test_what_was_written_is_read_back():
    assert Work.from_json(COUNTS.to_json()) == COUNTS
