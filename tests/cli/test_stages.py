"""How a command finds its stage, and what it says where there is none."""

import os

import pytest
import typer
from typer.testing import CliRunner

from cli import main, stages
from cli.stages import Commands
from kedge.config.stage import VARIABLE
from lambdas.stage import current


@pytest.fixture
def app():
    """Two commands: one reaches a deployment, one does not."""
    app = Commands()

    def look(region: str | None = None) -> None:
        """Look."""
        typer.echo(f"{current().words} in {region}")

    def count() -> None:
        """Count."""
        typer.echo(current().words)

    app.command("look")(look)
    app.command("count")(count)
    return app


@pytest.fixture
def written(monkeypatch, tmp_path):
    """What `cdk.json` says."""

    def write(context):
        (tmp_path / "cdk.json").write_text(f'{{"context": {context}}}')
        monkeypatch.setattr(stages, "CONTEXT", tmp_path / "cdk.json")

    monkeypatch.delenv(VARIABLE, raising=False)
    write("{}")
    return write


def said(app, *words, **environment):
    return CliRunner().invoke(app, words, env=environment)


def test_the_option_wins_over_the_environment_and_that_over_the_context(app, written):
    assert said(app, "look").stdout == "the deployment without a stage in None\n"
    written('{"stage": "staging"}')
    assert said(app, "look").stdout == "stage staging in None\n"
    assert said(app, "look", KEDGE_STAGE="dev").stdout == "stage dev in None\n"
    assert (
        said(app, "look", "--stage", "production", "--region", "r", KEDGE_STAGE="dev").stdout
        == "stage production in r\n"
    )


def test_a_command_that_reaches_no_deployment_has_no_such_option(app, written):
    assert said(app, "count", "--stage", "dev").exit_code == 2


def test_the_stage_ends_with_its_command(app, written):
    said(app, "look", "--stage", "dev")
    assert VARIABLE not in os.environ


@pytest.mark.parametrize("name", ["Dev", "a-b", "thirteenchars"])
def test_a_name_that_cannot_be_one_is_refused_in_a_sentence(app, written, name):
    refused = said(app, "look", "--stage", name)
    assert refused.exit_code == 2
    assert f"kedge look: the stage is {name!r}: it must be at most 12 characters" in refused.stderr


def test_every_command_that_reaches_a_deployment_has_the_option(written):
    for command in ("status", "doctor", "smoke", "adopt", "promote", "rollback", "approve"):
        assert "--stage" in said(main.app, command, "--help", COLUMNS="200").stdout, command
