"""Athena runs what it is asked over the catalogue's tables, as the caller, and fails as Athena fails."""

import hashlib
import io

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from offline.athena.queries import SQL_BYTES_MAX
from tests.offline.offline_world import make_role

HIVE = "org.apache.hadoop.hive.ql.io"
ROWS = pa.table({"Name": ["a", "b", None], "size": [1.5, None, 3.0]})


@pytest.fixture
def athena(account):
    """A bucket, a workgroup and a database with a table of three rows."""
    account.client("s3").create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    result = {"OutputLocation": "s3://data/athena/queries/"}
    account.client("athena").create_work_group(Name="w", Configuration={"ResultConfiguration": result})
    account.client("glue").create_database(DatabaseInput={"Name": "d"})
    put(account, "rows/one", ROWS)
    make_table(account, "t")
    return account


def put(account, key, rows):
    sink = io.BytesIO()
    pq.write_table(rows, sink)
    account.client("s3").put_object(Bucket="data", Key=key, Body=sink.getvalue())


def make_table(account, name, *, location="s3://data/rows/", reader="parquet.MapredParquetInputFormat", **more):
    columns = [{"Name": "name", "Type": "string"}, {"Name": "size", "Type": more.pop("size", "double")}]
    storage = {"Columns": columns, "Location": location, "InputFormat": f"{HIVE}.{reader}"}
    table = {"Name": name, "StorageDescriptor": storage, **more}
    account.client("glue").create_table(DatabaseName="d", TableInput=table)


def ask(account, select, **asked):
    """Unload a SELECT; return the query's status."""
    return execution(account, select, **asked)["Status"]


def execution(account, select, *, client=None, target="s3://data/out/", workgroup="w"):
    client = client or account.client("athena")
    query = client.start_query_execution(
        QueryString=f"UNLOAD ({select}) TO '{target}' WITH (format = 'PARQUET')",
        QueryExecutionContext={"Database": "d"},
        ResultConfiguration={"OutputLocation": "s3://data/athena/queries/"},
        WorkGroup=workgroup,
    )["QueryExecutionId"]
    return client.get_query_execution(QueryExecutionId=query)["QueryExecution"]


def written(account, prefix="out/"):
    s3 = account.client("s3")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="data", Prefix=prefix).get("Contents", [])]
    files = [pq.read_table(io.BytesIO(s3.get_object(Bucket="data", Key=key)["Body"].read())) for key in keys]
    return pa.concat_tables(files).to_pylist() if files else []


def test_a_select_is_executed_and_its_rows_are_written_by_several_workers(athena):
    assert ask(athena, "SELECT name AS n, size FROM t WHERE size > 1")["State"] == "SUCCEEDED"
    assert sorted(written(athena), key=str) == [{"n": "a", "size": 1.5}, {"n": None, "size": 3.0}]
    assert len(athena.client("s3").list_objects_v2(Bucket="data", Prefix="out/")["Contents"]) == 2


def test_a_digest_is_of_bytes_and_written_in_capitals(athena):
    ask(athena, "SELECT substr(to_hex(sha256(to_utf8(name))), 1, 12) AS h FROM t WHERE name IS NOT NULL")
    expected = [hashlib.sha256(name).hexdigest()[:12].upper() for name in (b"a", b"b")]
    assert sorted(row["h"] for row in written(athena)) == sorted(expected)


def test_columns_are_found_in_any_case_and_are_null_where_a_file_lacks_them(athena):
    put(athena, "rows/two", pa.table({"SIZE": [9.0]}))
    ask(athena, 'SELECT "name", "size" FROM "d"."t"')
    assert {"name": None, "size": 9.0} in written(athena)


def test_a_list_of_objects_is_read_and_nothing_beside_it(athena):
    put(athena, "rows/two", pa.table({"name": ["c"], "size": [9.0]}))
    athena.client("s3").put_object(Bucket="data", Key="lists/objects.txt", Body=b"s3://data/rows/two\n")
    make_table(athena, "listed", location="s3://data/lists/", reader="SymlinkTextInputFormat")
    ask(athena, 'SELECT name, "$path" AS place FROM listed')
    assert written(athena) == [{"name": "c", "place": "s3://data/rows/two"}]


def test_an_injected_partition_is_read_where_the_query_says_so_and_must_be_said(athena):
    keys = {"PartitionKeys": [{"Name": "run", "Type": "string"}]}
    parameters = {"projection.run.type": "injected", "storage.location.template": "s3://data/runs/${run}/"}
    make_table(athena, "runs", Parameters=parameters, **keys)
    put(athena, "runs/x/one", ROWS.slice(0, 1))
    put(athena, "runs/y/one", ROWS.slice(1, 2))
    ask(athena, "SELECT r.name, r.run FROM runs AS r WHERE r.run = 'x' AND (r.size > 0 OR r.size < 0)")
    assert written(athena) == [{"name": "a", "run": "x"}]
    for where in ("", "WHERE run = 'x' OR size > 0", "WHERE run > 'x'"):
        select = f"SELECT name FROM runs {where}"  # noqa: S608 - our own words
        failed = ask(athena, select, target="s3://data/other/")
        assert failed["StateChangeReason"].startswith("CONSTRAINT_VIOLATION"), where


@pytest.mark.parametrize(
    ("select", "reason"),
    [
        ("SELECT name FROM absent", "TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.d.absent' does not exist"),
        ("SELECT nothing FROM t", "SYNTAX_ERROR"),
        ("SELECT name, size AS NAME FROM t", "DUPLICATE_COLUMN_NAME"),
        ("SELECT CAST(name AS TIMESTAMP WITH TIME ZONE) AS z FROM t WHERE name IS NULL", "NOT_SUPPORTED"),
        ("SELECT size FROM wrong", "HIVE_BAD_DATA: Field size's type double in parquet file s3://data/rows/one"),
    ],
    ids=["no table", "no column", "doubled name", "time zone", "other type"],
)
def test_a_query_that_cannot_be_answered_fails_with_athenas_reason_and_writes_nothing(athena, select, reason):
    make_table(athena, "wrong", size="bigint")
    status = ask(athena, select)
    assert status["State"] == "FAILED"
    assert reason in status["StateChangeReason"]
    assert written(athena) == []


def test_a_query_that_would_read_more_than_the_workgroup_allows_is_cancelled(athena):
    limited = {
        "ResultConfiguration": {"OutputLocation": "s3://data/athena/queries/"},
        "BytesScannedCutoffPerQuery": 10**7,
    }
    athena.client("athena").create_work_group(Name="limited", Configuration=limited)
    few = ask(athena, "SELECT name FROM t", target="s3://data/few/", workgroup="limited")
    assert few["State"] == "SUCCEEDED"
    put(athena, "rows/large", pa.table({"size": np.random.default_rng(1).random(1_300_000)}))
    few = ask(athena, "SELECT name FROM t", target="s3://data/narrow/", workgroup="limited")
    assert few["State"] == "SUCCEEDED"
    status = ask(athena, "SELECT size FROM t", workgroup="limited")
    assert (status["State"], status["StateChangeReason"]) == ("CANCELLED", "Bytes scanned limit was exceeded")
    assert written(athena) == []


@pytest.mark.parametrize(
    ("select", "columns"),
    [
        ("SELECT size FROM t", ["size"]),
        ("SELECT size FROM t WHERE name = 'a'", ["name", "size"]),
        ('SELECT sum(y) AS s FROM (SELECT *, size * 2 AS y, "$path" AS p FROM t) AS q', ["size"]),
        ("SELECT count(*) AS n FROM t", []),
        ("SELECT size FROM t UNION ALL SELECT size FROM t WHERE name = 'b'", ["size", "size", "name"]),
        ("SELECT a.size FROM t AS a JOIN t AS b ON a.name = b.name", ["size", "name", "name"]),
    ],
    ids=["a column", "a filter", "what a query in a query leaves out", "no column", "two scans", "a join"],
)
def test_a_query_scans_the_compressed_chunks_of_the_columns_that_it_reads_in_each_scan(athena, select, columns):
    put(athena, "rows/two", pa.table({"size": np.random.default_rng(1).random(1000)}))
    chunks = dict.fromkeys(("name", "size"), 0)
    for key in ("rows/one", "rows/two"):
        body = athena.client("s3").get_object(Bucket="data", Key=key)["Body"].read()
        group = pq.ParquetFile(io.BytesIO(body)).metadata.row_group(0)
        for place in range(group.num_columns):
            chunks[group.column(place).path_in_schema.lower()] += group.column(place).total_compressed_size
    scanned = execution(athena, select)["Statistics"]["DataScannedInBytes"]
    assert scanned == sum(chunks[name] for name in columns)


def test_a_target_that_holds_something_is_not_written_to(athena):
    put(athena, "out/before", ROWS)
    assert "HIVE_PATH_ALREADY_EXISTS" in ask(athena, "SELECT name FROM t")["StateChangeReason"]
    assert len(written(athena)) == 3


def test_athena_reads_and_writes_with_the_permissions_of_who_asks(athena):
    queries = ["athena:StartQueryExecution", "athena:GetQueryExecution", "glue:GetTable", "s3:GetBucketLocation"]
    looking = [*queries, "s3:ListBucket", "s3:GetObject"]
    for name, actions, reason in (
        ("blind", queries, "s3:ListBucket"),
        ("reader", looking, "s3:PutObject"),
        ("writer", [*looking, "s3:PutObject"], None),
    ):
        with athena.as_role(make_role(athena, name, actions)):
            status = ask(athena, "SELECT name FROM t", client=boto3.client("athena"))
        assert status["State"] == ("FAILED" if reason else "SUCCEEDED"), name
        assert (reason or "") in status.get("StateChangeReason", "")


def test_a_query_of_a_workgroup_that_a_role_may_not_ask_is_not_told(athena):
    query = athena.client("athena").start_query_execution(
        QueryString="UNLOAD (SELECT name FROM t) TO 's3://data/out/' WITH (format = 'PARQUET')",
        QueryExecutionContext={"Database": "d"},
        WorkGroup="w",
    )["QueryExecutionId"]
    with (
        athena.as_role(make_role(athena, "stranger", ["s3:GetObject"])),
        pytest.raises(ClientError, match="workgroup/w"),
    ):
        boto3.client("athena").get_query_execution(QueryExecutionId=query)


def test_what_is_no_sql_or_too_long_is_refused_at_once(athena):
    for select in ("SELECT FROM WHERE", "SELECT '" + "x" * SQL_BYTES_MAX + "' AS x"):
        with pytest.raises(ClientError, match="InvalidRequestException"):
            ask(athena, select)


def test_a_statement_that_is_not_imitated_is_an_error_not_a_success(athena):
    with pytest.raises(NotImplementedError, match="only UNLOAD"):
        athena.client("athena").start_query_execution(QueryString="MSCK REPAIR TABLE t", WorkGroup="w")
