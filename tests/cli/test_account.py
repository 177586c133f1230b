"""`kedge account serve` as a person uses it: one terminal serves, another one asks."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.synthesised import example_models

ROOT = Path(__file__).parents[2]
MODELS = example_models()


def test_the_deployed_account_answers_until_it_is_closed(tmp_path):
    serving = subprocess.Popen(
        [sys.executable, "-m", "cli", "account", "serve", "--port", "0", "--start", "2016-01-04T02:00:00Z", "--speed", "0",
         "--directory", str(tmp_path / "account")],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        shown = []
        for line in iter(serving.stdout.readline, ""):
            shown.append(line)
            if line.startswith("export "):
                break
        assert any(line.startswith("export ") for line in shown), serving.stderr.read()
        url = shown[-1].split()[1].removeprefix("AWS_ENDPOINT_URL=")
        # The AWS CLI of version 1 reads no AWS_REGION.
        assert {"AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1"} < set(shown[-1].split())
        with urllib.request.urlopen(f"{url}/_kedge/clock") as answer:  # noqa: S310  # our own server
            assert json.loads(answer.read())["now"] == "2016-01-04T02:00:00Z"
        asked = subprocess.run(
            [sys.executable, "-m", "cli", "history", "hotel-cancellations", "--endpoint-url", url],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (asked.returncode, asked.stderr) == (
            2, "kedge history: nothing has happened to 'hotel-cancellations'; models with a timeline: none\n",
        )  # fmt: skip
        serving.send_signal(signal.SIGINT)
        rest, errors = serving.communicate(timeout=30)
    finally:
        serving.kill()
    assert serving.returncode == 0, errors
    assert rest.splitlines()[-1] == "closed"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--start", "soon"), "--start is 'soon', and a time looks like 2016-01-04T02:00:00Z"),
        (("--models", "absent"), "absent: there is no such folder"), (("--models", "none"), "`kedge init` writes one"),
        (("--models", "bad"), "did you mean psi_max?"), (("--directory", "taken"), "taken: must be an empty folder"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_refused_before_anything_is_built(tmp_path, monkeypatch, options, words):
    for folder in ("none", "bad", "taken/mail"):
        (tmp_path / folder).mkdir(parents=True)
    good = (MODELS / "hotel-cancellations.yaml").read_text()
    (tmp_path / "bad" / "hotel-cancellations.yaml").write_text(good + "drift: {psi_mx: 1}\n")
    monkeypatch.chdir(tmp_path)
    place = () if "--directory" in options else ("--directory", str(tmp_path / "new"))
    result = CliRunner().invoke(app, ["account", "serve", "--port", "0", *options, *place])
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert not (tmp_path / "new").exists()
