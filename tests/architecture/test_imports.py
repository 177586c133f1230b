import subprocess
import sys
import tomllib

import pytest

from tests.architecture.source_imports import ROOMS, ROOT, imports, module_file, sources

# Who may import whom of our own rooms. `lambdas` is cut finer below.
ALLOWED = {
    "kedge": {"kedge"},
    "report": {"report", "kedge"},
    "stacks": {"stacks", "kedge"},
    "cli": {"cli", "kedge", "report", "lambdas", "offline", "app"},
    "training": {"training"},
}
OURS = {*ROOMS, "app", "tests"}
NOT_IN_KEDGE = {"boto3", "botocore", "aws_cdk", "logging", "time", "os", "pathlib", "random", "subprocess", "socket"}


def ours(path):
    return {name.split(".")[0] for name in imports(path)} & OURS


# They run for all models, hourly or nightly, and count no rows.
WITHOUT_ROWS = (
    "fan_out",
    "watch_monitor",
    "settle",
    "watch_captures",
    "expire_captures",
    "write_pages",
    "keep_history",
    "tell",
)


def test_functions_that_count_no_rows_start_without_pandas_and_scipy():
    program = f"import sys, importlib\nfor n in {WITHOUT_ROWS}: importlib.import_module('lambdas.handlers.' + n)\n"
    program += "print(*{'pandas', 'scipy', 'awswrangler'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("room", ALLOWED)
def test_rooms_import_only_the_rooms_below_them(room):
    for path in sources(room):
        assert ours(path) <= ALLOWED[room], path


def test_stacks_know_of_kedge_only_the_models_configuration_its_error_and_the_tables_of_the_history():
    for path in sources("stacks"):
        known = {name for name in imports(path) if name.startswith("kedge.") and module_file(name)}
        assert known <= {
            "kedge.config.gauges",
            "kedge.config.model",
            "kedge.config.owners",
            "kedge.config.prices",
            "kedge.config.reading",
            "kedge.config.sections",
            "kedge.config.stage",
            "kedge.config.teams",
            "kedge.config.training",
            "kedge.errors",
            "kedge.history.predictions",
            "kedge.history.queries",
            "kedge.history.tables",
            "kedge.history.views",
        }, path


def test_handlers_and_adapters_import_only_their_own_room_the_report_and_kedge():
    for path in sources("lambdas"):
        assert ours(path) <= {"lambdas", "report", "kedge"}, path


def test_a_handler_does_not_import_another_handler_and_an_adapter_imports_none():
    for path in sources("lambdas"):
        others = {
            file for name in imports(path) if name.startswith("lambdas.handlers.") and (file := module_file(name))
        }
        assert not [other for other in others if "\ndef handler(" in other.read_text()], path


def test_only_adapters_import_boto3():
    for room in ("kedge", "lambdas", "report", "stacks"):
        for path in sources(room):
            if path.is_relative_to(ROOT / "lambdas" / "adapters"):
                continue
            assert not {name for name in imports(path) if name.split(".")[0] in ("boto3", "botocore")}, path


def test_awswrangler_and_pandas_are_imported_by_the_one_adapter_that_asks_athena():
    for path in sources("kedge", "lambdas", "report", "stacks"):
        heavy = {name.split(".")[0] for name in imports(path)} & {"awswrangler", "pandas"}
        assert heavy == ({"awswrangler"} if path.name == "athena_queries.py" else set()), path


def test_powertools_is_imported_by_handlers_only():
    for path in sources("kedge", "report", "lambdas/adapters"):
        assert not {name for name in imports(path) if name.split(".")[0] == "aws_lambda_powertools"}, path


def test_kedge_knows_no_cloud_no_clock_and_no_files():
    for path in sources("kedge"):
        assert not {name.split(".")[0] for name in imports(path)} & NOT_IN_KEDGE, path


def test_of_scipy_kedge_uses_special_alone():
    for path in sources("kedge", "lambdas", "report"):
        known = {".".join(name.split(".")[:2]) for name in imports(path) if name.startswith("scipy.")}
        assert known <= {"scipy.special"}, path


def test_nothing_that_is_deployed_knows_of_the_offline_account():
    for path in [*sources("kedge", "lambdas", "stacks", "report"), ROOT / "app.py"]:
        assert "offline" not in ours(path), path


def test_mypy_follows_every_module_of_the_cdk_that_ours_import():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["overrides"]
    followed = {name for each in settings if each.get("follow_imports") == "normal" for name in each["module"]}
    checked = [ROOT / "app.py", *sources(*ROOMS)]
    assert {name for path in checked for name in imports(path) if name.startswith("aws_cdk.aws_")} <= followed
