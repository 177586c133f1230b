"""How the functions' clients read what services answer."""

from datetime import UTC

import pytest
from botocore.utils import parse_timestamp
from moto import mock_aws

from lambdas.adapters import clients
from tests.adapters.aws import forget_clients


@pytest.mark.parametrize(
    "written",
    [
        "2016-01-03T09:30:00.000Z",
        "2016-01-03T09:30:00Z",
        "2016-01-03T09:30:00.5Z",
        "20160103T093000Z",
        "Sun, 03 Jan 2016 09:30:00 GMT",
        "Sunday, 03-Jan-16 09:30:00 GMT",
        "2016-01-03T09:30:00+02:00",
        "20160103",
        "1451813400.25",
        1451813400,
        1451813400.25,
    ],
)
def test_a_moment_is_the_one_that_botocore_reads(written):
    found, expected = clients.read_timestamp(written), parse_timestamp(written)
    assert (found, found.utcoffset()) == (expected, expected.utcoffset())


@pytest.mark.parametrize("written", ["yesterdayZ", "soon GMT", "", "2016-13-03T09:30:00Z"])
def test_what_is_no_moment_is_refused_as_by_botocore(written):
    with pytest.raises(ValueError) as expected:  # noqa: PT011  # botocore's own words are compared
        parse_timestamp(written)
    with pytest.raises(ValueError, match="timestamp") as found:
        clients.read_timestamp(written)
    assert str(found.value) == str(expected.value)


def test_listings_and_objects_of_s3_are_read_without_dateutil(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        forget_clients()
        s3 = clients.s3()
        s3.create_bucket(Bucket="data")
        s3.put_object(Bucket="data", Key="a", Body=b"")
        (listed,) = s3.list_objects_v2(Bucket="data")["Contents"]
        moments = [listed["LastModified"], s3.head_object(Bucket="data", Key="a")["LastModified"]]
    # botocore's own are in a zone of dateutil's.
    assert [moment.tzinfo for moment in moments] == [UTC, UTC]
