"""What a command says where AWS refuses, and where AWS was never reached: two reasons, each with its remedy."""

import pytest
import typer
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)
from typer.testing import CliRunner

from cli.main import app
from cli.refusals import in_a_sentence

DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")


@pytest.mark.parametrize(
    ("error", "beginning", "remedy"),
    [
        (NoRegionError(), "AWS could not be reached: You must specify a region; ", "--region, or set AWS_REGION"),
        (NoCredentialsError(), "AWS could not be reached: ", "; aws sso login, or name a valid AWS_PROFILE"),
        (ProfileNotFound(profile="mine"), "AWS could not be reached: ", "; aws sso login, or name a valid AWS_PROFILE"),
        (EndpointConnectionError(endpoint_url="http://x"), "AWS could not be reached: ", "AWS_ENDPOINT_URL is right"),
        (DENIED, "AWS answered: ", "no"),
    ],
)
def test_an_error_of_botocores_says_whether_aws_was_reached_and_what_to_do(capsys, error, beginning, remedy):
    with pytest.raises(typer.Exit), in_a_sentence("history"):
        raise error
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"kedge history: {beginning}")
    assert line.endswith(remedy)


def test_the_doctor_does_not_blame_the_credentials_where_nothing_listens(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "some")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    result = CliRunner().invoke(app, ["doctor", "--endpoint-url", "http://127.0.0.1:9", "--region", "eu-west-1"])
    assert result.exit_code == 2
    assert "AWS_ENDPOINT_URL is right" in result.output
    assert "sso login" not in result.output
