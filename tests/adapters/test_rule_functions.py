"""A team's rule is called once; whatever comes back that is no clear answer refuses, and says what to do."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from lambdas.adapters import rule_functions

QUESTION = {"model": "m", "rows": []}


class Rule(BaseHTTPRequestHandler):
    """Lambda's Invoke, as far as a caller sees it."""

    def do_POST(self):
        self.server.asked.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        if self.server.silent.is_set():
            self.server.done.wait(30)
            return
        status, headers, body = self.server.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def lambda_(monkeypatch):
    server = HTTPServer(("127.0.0.1", 0), Rule)
    server.asked, server.silent, server.done = [], threading.Event(), threading.Event()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    values = {"ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{server.server_port}", "DEFAULT_REGION": "eu-west-1"}
    for name, value in (values | {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "s"}).items():
        monkeypatch.setenv(f"AWS_{name}", value)
    yield server
    server.done.set()
    server.shutdown()
    thread.join()
    server.server_close()


def ask(lambda_, body=b"", *, status=200, headers=None):
    lambda_.answer = status, headers or {}, body
    return rule_functions.ask("ours", QUESTION, timeout_seconds=1)


def test_the_rule_is_given_the_question_with_its_version_and_its_answer_comes_back(lambda_):
    answer = ask(lambda_, b'{"verdict": "WARN", "value": 3, "sentence": "hm"}')
    assert answer == {"verdict": "WARN", "value": 3, "sentence": "rule ours: hm"}
    ((path, body),) = lambda_.asked
    assert path.endswith("/functions/ours/invocations")
    assert json.loads(body) == {"version": 1, **QUESTION}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"body": b"not json"}, "answered no JSON object with a verdict"),
        ({"body": b'["PASS"]'}, "answered no JSON object with a verdict"),
        ({"body": b"{}"}, "answered no JSON object with a verdict"),
        (
            {"body": b'{"errorMessage": "row 17: 4 Mill Lane"}', "headers": {"X-Amz-Function-Error": "Unhandled"}},
            "failed; its own log",
        ),
        (
            {"body": b"{}", "status": 404, "headers": {"x-amzn-ErrorType": "ResourceNotFoundException"}},
            "ResourceNotFoundException",
        ),
        (
            {"body": b"{}", "status": 429, "headers": {"x-amzn-ErrorType": "TooManyRequestsException"}},
            "TooManyRequestsException",
        ),
    ],
)
def test_what_is_no_answer_refuses_after_one_call_and_tells_no_values(lambda_, answer, words):
    said = ask(lambda_, **answer)
    assert said["verdict"] == "REFUSE"
    assert words in said["sentence"]
    assert "Mill Lane" not in said["sentence"]
    assert said["sentence"].endswith("then request the retraining again")
    assert len(lambda_.asked) == 1


def test_a_rule_that_takes_too_long_refuses_after_one_call(lambda_):
    lambda_.silent.set()
    said = ask(lambda_)
    assert "did not answer within 1 seconds (gate.rule_timeout_seconds)" in said["sentence"]
    assert (said["verdict"], len(lambda_.asked)) == ("REFUSE", 1)


def test_a_rule_that_cannot_be_reached_refuses(lambda_, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:1")
    said = ask(lambda_)
    assert (said["verdict"], "could not be called: EndpointConnectionError" in said["sentence"]) == ("REFUSE", True)
