"""`kedge cost` says before a deployment what a YAML will cost, and adds up."""

import json

import pytest
from typer.testing import CliRunner

from cli.cost.coefficients import read_coefficients
from cli.cost.table import print_estimates
from cli.main import app
from kedge.cost.estimate import deployment_lines, estimate
from tests.builders import YAML, make_config


def cost(*arguments):
    return CliRunner().invoke(app, ["cost", *map(str, arguments)])


def document(*arguments):
    result = cost(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


@pytest.fixture
def yaml(tmp_path):
    path = tmp_path / "parcels.yaml"
    path.write_text(YAML)
    return path


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)


def test_each_line_is_a_quantity_times_a_price_and_the_lines_are_the_sum(yaml):
    found = document("--config", yaml)
    (model,) = found["models"]
    for line in (*model["lines"], *found["deployment"]["lines"]):
        assert line["usd_a_month"] == pytest.approx(line["quantity"] * line["usd_a_unit"])
    lines = sum(line["usd_a_month"] for line in model["lines"])
    fixed = sum(line["usd_a_month"] for line in found["deployment"]["lines"])
    assert (
        model["usd_a_month"] == found["usd_a_month"] == pytest.approx(lines + fixed / found["deployment"]["shared_by"])
    )
    assert {line["part"] for line in model["lines"]} == {"watching", "captures", "changes"}


def test_options_that_only_the_other_command_reads_are_refused(yaml):
    refused = cost("--config", yaml, "--days", 7, "--region", "eu-west-1")
    assert refused.exit_code == 2
    assert "remove --days and --region, or say --actual" in refused.output.replace("\n", " ")


def test_a_list_of_its_own_costs_its_alarm(yaml):
    before = sum(line["usd_a_month"] for line in document("--config", yaml)["deployment"]["lines"])
    yaml.write_text(YAML + "owner: {email: [own@example.com]}\n")
    after = sum(line["usd_a_month"] for line in document("--config", yaml)["deployment"]["lines"])
    assert after - before in (pytest.approx(0.125), pytest.approx(0.40))


def test_more_rows_cost_more_and_a_slower_cadence_costs_less(yaml):
    few, many = (document("--config", yaml, "--rows-a-day", rows)["usd_a_month"] for rows in (1000, 1_000_000))
    assert few < many
    yaml.write_text(YAML + "cadence: {profile: daily, judge: weekly}\n")
    assert document("--config", yaml, "--rows-a-day", 1000)["usd_a_month"] < few


def test_a_model_is_found_by_its_name_and_all_of_them_share_the_deployment():
    by_name, every = document("hotel-cancellations"), document("--all")
    assert "hotel-cancellations" in [model["model"] for model in every["models"]]
    assert by_name["deployment"] == every["deployment"]
    assert every["usd_a_month"] == pytest.approx(sum(model["usd_a_month"] for model in every["models"]))


def test_the_table_names_what_is_large_and_says_what_was_assumed(yaml):
    result = cost("--config", yaml, "--rows-a-day", 20_000, "--changes", 0)
    assert result.exit_code == 0
    for words in (
        "CloudWatch alarms",
        "Lambda profile_logs, GB-seconds",
        "SQS, idle polling of the queues",
        "20,000 rows a day",
        "prices of us-east-1",
    ):
        assert words in result.output
    assert "retraining and release" not in result.output


def test_many_models_are_a_line_each_and_what_is_assumed_of_some_names_them(capsys):
    measured = read_coefficients()
    configs = [make_config(f"metrics: {metrics}\nmode: watch\n") for metrics in ("none", "all")]
    configs.append(make_config("training: {instance_type: ml.x9.large}\n"))
    found = [
        estimate(config.model_copy(update={"model": name}), measured, share_usd=0.5)
        for config, name in zip(configs, ("cheap", "dear", "unknown"), strict=True)
    ]
    print_estimates(found, deployment_lines(measured, is_hourly=True), len(found))
    lines = capsys.readouterr().out.splitlines()
    (cheap,), (dear,) = (
        [n for n, line in enumerate(lines) if line.startswith(f"│ {name} ")] for name in ("cheap", "dear")
    )
    assert dear < cheap
    assert f"{found[0].usd - 0.5:.3f}" in lines[cheap]
    (unknown,) = [line for line in lines if "training, at most: the price of ml.x9.large is not known" in line]
    assert unknown.endswith("(unknown)")
    assert len([line for line in lines if line.startswith("- prices of us-east-1")]) == 1
    assert lines[-1] == f"all 3 models: {sum(each.usd for each in found):.2f} USD a month"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "one of the three"),
        (("hotel-cancellations", "--all"), "one of the three"),
        (("nothing-such",), "models/ has no nothing-such.yaml; it has"),
        (("--config", "/nowhere/else.yaml"), "there is no such file"),
    ],
)
def test_what_is_not_there_is_said_with_a_remedy(arguments, words):
    result = cost(*arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())


def test_a_broken_yaml_is_named_with_its_field(yaml):
    yaml.write_text(YAML + "drift: {psi_mx: 1}\n")
    result = cost("--config", yaml)
    assert result.exit_code == 2
    assert "did you mean psi_max?" in " ".join(result.output.split())
