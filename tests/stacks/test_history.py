"""The catalogue of the history, as Athena and BI tools find it."""

import base64
import json
import re

import pytest

from kedge.history.queries import QUERIES
from kedge.history.tables import TABLES
from tests.synthesised import resources


def tables():
    found = resources("AWS::Glue::Table", "KedgeMonitoring").values()
    return {each["Properties"]["TableInput"]["Name"]: each["Properties"]["TableInput"] for each in found}


VIEWS = [*TABLES, "predictions"]


def test_each_table_has_its_files_and_its_view():
    assert tables().keys() == {*VIEWS, *(f"{name}_written" for name in TABLES), "answers_1", "labels"}


def test_only_the_answers_with_their_labels_know_the_models_by_name():
    """All other views show a model that is defined in the data bucket, too; docs/history.md says how to have it in `predictions`."""
    by_model = [
        name for name, table in tables().items() if "model" in [each["Name"] for each in table.get("PartitionKeys", [])]
    ]
    assert sorted(by_model) == ["answers_1", "labels"]


@pytest.mark.parametrize("name", [name for name in tables() if name not in VIEWS])
def test_partitions_are_projected_never_injected_and_no_column_recurs(name):
    table = tables()[name]
    parameters = table["parameters" if "parameters" in table else "Parameters"]
    partitions = [each["Name"] for each in table["PartitionKeys"]]
    assert parameters["projection.enabled"] == "true"
    assert {parameters[f"projection.{partition}.type"] for partition in partitions} <= {"date", "enum"}
    assert not {each["Name"] for each in table["StorageDescriptor"]["Columns"]} & {*partitions}
    template = parameters["storage.location.template"]["Fn::Join"][1][-1]
    assert re.findall(r"\$\{(\w+)\}", template) == partitions


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_holds_no_token_and_its_types_agree(name):
    view = tables()[name]
    assert (view["TableType"], view["ViewExpandedText"]) == ("VIRTUAL_VIEW", "/* Presto View */")
    assert view["Parameters"] == {"presto_view": "true", "comment": "Presto View"}
    text = view["ViewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
    described = json.loads(base64.b64decode(text))
    assert "Token" not in described["originalSql"]
    hive = {"varchar": "string", "timestamp(3)": "timestamp"}
    assert [(each["name"], hive.get(each["type"], each["type"])) for each in described["columns"]] == [
        (each["Name"], each["Type"]) for each in view["StorageDescriptor"]["Columns"]
    ]


def test_every_query_is_kept_by_its_name_in_the_workgroup_whose_scans_are_bounded():
    kept = [each["Properties"] for each in resources("AWS::Athena::NamedQuery").values()]
    assert {each["Name"]: each["QueryString"] for each in kept} == {query.name: query.sql for query in QUERIES}
    (workgroup,) = resources("AWS::Athena::WorkGroup")
    assert {json.dumps(each["WorkGroup"]) for each in kept} == {json.dumps({"Ref": workgroup.split("/")[1]})}
