"""A SageMaker MLflow's REST API behind TLS: experiments and runs as MLflow keeps them, for signed and routed requests alone."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.handlers.deliver.services import certificates

REGION = "eu-west-1"
SERVER = f"arn:aws:sagemaker:{REGION}:123456789012:mlflow-tracking-server/team"
APP = f"arn:aws:sagemaker:{REGION}:123456789012:mlflow-app/app-0123"
# Host, service and header by which AWS's package `sagemaker-mlflow` 0.5.0 reaches each.
ROUTES = {
    f"{REGION}.experiments.sagemaker.aws": ("sagemaker-mlflow", "x-mlflow-sm-tracking-server-arn", SERVER),
    f"mlflow.sagemaker.{REGION}.app.aws": ("sagemaker", "x-sm-mlflow-app-arn", APP),
}
UPLOADS = "uploads.example.com"
KEY = re.compile(r"[\w\-. /]{1,250}", re.ASCII)
FILTER = re.compile(r"(?:name|tags\.`(?P<tag>[^`]+)`) = '(?P<value>[^']+)'")


class Mlflow:
    """What the server keeps, and how it is out of order."""

    def __init__(self) -> None:
        self.experiments: dict[str, str] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.signs_uploads, self.broken = True, False
        self.made: list[str] = []

    def answer(self, method: str, host: str, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        if host == UPLOADS:
            assert (method, headers["x-amz-server-side-encryption"]) == ("PUT", "aws:kms")
            self.files[path.removeprefix("/")] = body
            return 200, b""
        if self.broken:
            return 503, b"upstream connect error"
        if not is_signed(host, path, headers, body):
            return 403, b'{"message": "The request signature we calculated does not match"}'
        operation = path.removeprefix("/api/2.0/mlflow/")
        self.made.append(operation)
        status, found = getattr(self, f"_{operation.replace('/', '_').replace('-', '_')}")(json.loads(body))
        return status, json.dumps(found).encode()

    def _experiments_search(self, asked: dict[str, Any]) -> tuple[int, Any]:
        name = FILTER.fullmatch(asked["filter"])["value"]
        known = self.experiments.get(name)
        # MLflow leaves an empty list out of its JSON.
        return 200, {"experiments": [{"experiment_id": known, "name": name}]} if known else {}

    def _experiments_create(self, asked: dict[str, Any]) -> tuple[int, Any]:
        if asked["name"] in self.experiments:
            return 400, {"error_code": "RESOURCE_ALREADY_EXISTS"}
        self.experiments[asked["name"]] = str(len(self.experiments) + 1)
        return 200, {"experiment_id": self.experiments[asked["name"]]}

    def _runs_search(self, asked: dict[str, Any]) -> tuple[int, Any]:
        wanted = FILTER.fullmatch(asked["filter"])
        found = [
            {"info": {"run_id": name}}
            for name, run in self.runs.items()
            if run["experiment_id"] in asked["experiment_ids"] and run["tags"].get(wanted["tag"]) == wanted["value"]
        ]
        return 200, {"runs": found} if found else {}

    def _runs_create(self, asked: dict[str, Any]) -> tuple[int, Any]:
        name = f"{len(self.runs) + 1:032x}"
        tags = {tag["key"]: tag["value"] for tag in asked["tags"]}
        self.runs[name] = {"experiment_id": asked["experiment_id"], "run_name": asked["run_name"], "status": "RUNNING"}
        self.runs[name] |= {"tags": tags, "params": {}, "metrics": {}}
        return 200, {"run": {"info": {"run_id": name}}}

    def _runs_log_batch(self, asked: dict[str, Any]) -> tuple[int, Any]:
        run = self.runs[asked["run_id"]]
        texts = [*asked.get("params", []), *asked.get("tags", [])]
        fits = all(KEY.fullmatch(each["key"]) for each in [*texts, *asked.get("metrics", [])])
        if not fits or len(texts) > 100 or any(len(text["value"]) > 6000 for text in texts):
            return 400, {"error_code": "INVALID_PARAMETER_VALUE"}
        for each in asked.get("params", []):
            if run["params"].setdefault(each["key"], each["value"]) != each["value"]:
                return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "params are never changed"}
        run["tags"] |= {each["key"]: each["value"] for each in asked.get("tags", [])}
        run["metrics"] |= {each["key"]: each["value"] for each in asked.get("metrics", [])}
        return 200, {}

    def _runs_update(self, asked: dict[str, Any]) -> tuple[int, Any]:
        self.runs[asked["run_id"]]["status"] = asked["status"]
        return 200, {"run_info": {}}

    def _artifacts_presigned_upload_url(self, asked: dict[str, Any]) -> tuple[int, Any]:
        if not self.signs_uploads:
            return 501, {"error_code": "NOT_IMPLEMENTED"}
        url = f"https://{UPLOADS}/{asked['run_id']}/{asked['path']}"
        return 200, {"presigned_url": url, "headers": {"x-amz-server-side-encryption": "aws:kms"}}


def is_signed(host: str, path: str, headers: Any, body: bytes) -> bool:
    """Whether botocore signs the same request the same way, for the service and the resource of this host."""
    service, header, arn = ROUTES[host]
    signed = re.search(r"SignedHeaders=([^,]+), Signature=(\w+)", headers["Authorization"])
    names = signed[1].split(";")
    routed = {header, "x-amz-content-sha256", "x-amz-date", "host"} <= {*names} and headers[header] == arn
    if not routed or headers["X-Amz-Content-SHA256"] != hashlib.sha256(body).hexdigest():
        return False
    again = AWSRequest("POST", f"https://{host}{path}", data=body, headers={name: headers[name] for name in names})
    again.context["timestamp"] = headers["X-Amz-Date"]
    signer = SigV4Auth(
        Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]), service, REGION
    )
    canonical = signer.canonical_request(again)
    return signer.signature(signer.string_to_sign(again, canonical), again) == signed[2]


@contextmanager
def mlflow_serving(folder: Path, monkeypatch: Any) -> Iterator[Mlflow]:
    """The server, reached under AWS's names; connections to any other name fail."""
    mlflow, hosts = Mlflow(), (*ROUTES, UPLOADS)
    authority, chain = certificates(folder, hosts)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, content = mlflow.answer(self.command, self.headers["Host"], self.path, self.headers, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_PUT = do_POST  # noqa: N815  # http.server's name

        def log_message(self, *_args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    connect: Callable[..., socket.socket] = socket.create_connection

    def to_server(address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
        assert address[0] in hosts, f"a connection to {address[0]}"
        return connect(server.server_address[:2], *args, **kwargs)

    monkeypatch.setattr(socket, "create_connection", to_server)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    try:
        yield mlflow
    finally:
        server.shutdown()
        server.server_close()
