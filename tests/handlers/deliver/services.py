"""A TLS server that plays PagerDuty, Jira Service Management, Slack, Teams and a webhook: limits, errors and all.

It answers under the services' own names with a certificate of its own authority, which the function trusts by SSL_CERT_FILE
alone. Only the way there is the test's: connections to those names end at this server.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOSTS = ("events.pagerduty.com", "api.atlassian.com", "slack.com", "flows.example.com", "hooks.example.com")
SECRETS = {
    "slack": "xoxb-0123456789-abcdefghij",
    "teams": "https://flows.example.com/workflows/1f/invoke?sig=very-secret",
    "pagerduty": "0123456789abcdef0123456789ABCDEF",
    "opsgenie": "genie-0123-4567-89ab",
    "webhook": "whsec-0123456789-0123456789-0123456789",
}
Answer = tuple[int, dict[str, str], bytes]


class Services:
    """What the services have taken and shown, and the faults that come next.

    A fault is an answer given in place of the service's own, or one of the words `lost` (taken, then the line breaks), `hangs`
    (nothing comes), `drips` (a byte now and then) and `huge` (an answer without end).
    """

    def __init__(self) -> None:
        self.secrets = dict(SECRETS)
        self.faults: dict[str, deque[Answer | str]] = {}
        self.requests: list[tuple[str, str]] = []
        # What a person has seen of each service, in order.
        self.shown: dict[str, list[dict[str, Any]]] = {channel: [] for channel in SECRETS}
        self.incidents: dict[str, dict[str, str]] = {"pagerduty": {}, "opsgenie": {}}
        self.changes: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []

    def fail(self, channel: str, *faults: Answer | str) -> None:
        self.faults.setdefault(channel, deque()).extend(faults)

    def answer(self, host: str, path: str, headers: dict[str, str], body: bytes) -> Answer | str:
        channel = dict(zip(HOSTS, ("pagerduty", "opsgenie", "slack", "teams", "webhook"), strict=True))[host]
        self.requests.append((channel, path))
        self.bodies.append(body)
        fault = self.faults[channel].popleft() if self.faults.get(channel) else None
        if isinstance(fault, tuple):
            return fault
        if fault in ("hangs", "drips"):
            return fault
        answered: Answer = getattr(self, f"_{channel}")(path, headers, body)
        return fault or answered

    def _pagerduty(self, path: str, _headers: dict[str, str], body: bytes) -> Answer:
        found = json.loads(body)
        if len(body) > 512 * 1024:
            return 413, {}, b""
        if found["routing_key"] != self.secrets["pagerduty"]:
            return 400, {}, b'{"status":"invalid event","errors":["Invalid routing key"]}'
        if path == "/v2/change/enqueue":
            self.changes.append(found)
            return 202, {}, b"{}"
        return self._pagerduty_event(found) if path == "/v2/enqueue" else (404, {}, b"{}")

    def _pagerduty_event(self, found: dict[str, Any]) -> Answer:
        key, action, incidents = found.get("dedup_key", ""), found["event_action"], self.incidents["pagerduty"]
        payload = found.get("payload", {"summary": "", "severity": "info"})
        known = payload["severity"] in ("critical", "error", "warning", "info") and len(payload["summary"]) <= 1024
        if not known or not 0 < len(key) <= 255:
            return 400, {}, b"{}"
        is_open = incidents.get(key) in ("triggered", "acknowledged")
        # An event of an incident that is open is added to it, and calls nobody.
        if action == "trigger" and not is_open:
            self.shown["pagerduty"].append(found)
            incidents[key] = "triggered"
        elif action in ("acknowledge", "resolve") and is_open:
            incidents[key] = {"acknowledge": "acknowledged", "resolve": "resolved"}[action]
        return 202, {}, b'{"status":"success"}'

    def _opsgenie(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if headers.get("Authorization") != f"GenieKey {self.secrets['opsgenie']}":
            return 403, {}, b"{}"
        found, address = json.loads(body), urlsplit(path)
        below = address.path.removeprefix("/jsm/ops/integration/v2/alerts")
        alerts = self.incidents["opsgenie"]
        if not below:
            if not 0 < len(found["message"]) <= 130 or len(found["alias"]) > 512 or len(found["description"]) > 15_000:
                return 422, {}, b"{}"
            if alerts.get(found["alias"], "closed") == "closed":
                self.shown["opsgenie"].append(found)
                alerts[found["alias"]] = "open"
            return 202, {}, b'{"requestId":"1"}'
        _, alias, verb = below.split("/")
        if parse_qs(address.query) != {"identifierType": ["alias"]} or verb not in ("close", "acknowledge"):
            return 404, {}, b"{}"
        if unquote(alias) in alerts:
            alerts[unquote(alias)] = {"close": "closed", "acknowledge": "acknowledged"}[verb]
        return 202, {}, b'{"requestId":"2"}'

    def _slack(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        def said(**found: Any) -> Answer:
            return 200, {}, json.dumps(found).encode()

        if path != "/api/chat.postMessage" or headers.get("Authorization") != f"Bearer {self.secrets['slack']}":
            return said(ok=False, error="invalid_auth")
        found = json.loads(body)
        if found["channel"] != "C024BE91L":
            return said(ok=False, error="channel_not_found")
        texts = [block["text"]["text"] for block in found["blocks"]]
        limits = {"header": 150, "section": 3000}
        short = all(0 < len(block["text"]["text"]) <= limits[block["type"]] for block in found["blocks"])
        if not short or len(texts) > 50:
            return said(ok=False, error="invalid_blocks")
        if sum(map(len, texts)) > 13_200:
            return said(ok=False, error="msg_blocks_too_long")
        if not found.get("text"):
            return said(ok=False, error="no_text")
        if "thread_ts" in found and found["thread_ts"] not in [each["ts"] for each in self.shown["slack"]]:
            return said(ok=False, error="thread_not_found")
        ts = f"1700000000.{len(self.shown['slack']):06}"
        self.shown["slack"].append(found | {"ts": ts})
        return said(ok=True, ts=ts, channel=found["channel"], message=found)

    def _teams(self, path: str, _headers: dict[str, str], body: bytes) -> Answer:
        if f"https://flows.example.com{path}" != self.secrets["teams"]:
            return 401, {}, b"{}"
        if len(body) > 28 * 1024:
            return 413, {}, b"{}"
        found = json.loads(body)
        # A flow takes anything, and fails inside where a part is missing.
        if found.get("attachments") and found["attachments"][0]["content"]["version"] == "1.2":
            self.shown["teams"].append(found)
        return 202, {}, b""

    def _webhook(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        timestamp, signature = headers["Kedge-Timestamp"], headers["Kedge-Signature"]
        signed = hmac.new(self.secrets["webhook"].encode(), timestamp.encode() + b"." + body, hashlib.sha256)
        if not hmac.compare_digest(signature, f"v1={signed.hexdigest()}"):
            return 401, {}, b"{}"
        found = json.loads(body)
        if path != "/kedge?team=risk" or headers["Kedge-Id"] != found["id"]:
            return 404, {}, b""
        self.shown["webhook"].append(found)
        return 204, {}, b""


@contextmanager
def serving(folder: Path, monkeypatch: Any) -> Iterator[Services]:
    """The server, reached under the services' names, with the authority that the function is to trust."""
    services = Services()
    authority, chain = certificates(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Ours", (Handler,), {"services": services}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    connect: Callable[..., socket.socket] = socket.create_connection

    def to_server(address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
        address[0].encode("idna")  # as getaddrinfo does
        if address[0] == "127.0.0.1":
            # What a custom resource's function answers CloudFormation in a deployment.
            return connect(address, *args, **kwargs)
        assert address[0] in HOSTS, f"a connection to {address[0]}"
        return connect(server.server_address[:2], *args, **kwargs)

    monkeypatch.setattr(socket, "create_connection", to_server)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    try:
        yield services
    finally:
        server.shutdown()
        server.server_close()


class Handler(BaseHTTPRequestHandler):
    """One connection; `services` is set in a class of each server's own."""

    protocol_version = "HTTP/1.1"
    services: Services

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.services.answer(self.headers["Host"], self.path, dict(self.headers), body)
        if isinstance(answer, str):
            self.close_connection = True
            return getattr(self, f"_{answer}")()
        status, headers, content = answer
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _lost(self) -> None: ...

    def _huge(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 3_000_000)

    def _drips(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        self._hangs(b"x")

    def _hangs(self, now_and_then: bytes = b"") -> None:
        """Until the other side gives up; a byte now and then keeps a naive timeout from running out."""
        self.connection.settimeout(0.02)
        until = time.monotonic() + 20
        with suppress(OSError):
            while time.monotonic() < until:
                self.wfile.write(now_and_then)
                with suppress(TimeoutError):
                    if self.connection.recv(1) == b"":
                        return

    def log_message(self, *_args: Any) -> None: ...


def certificates(folder: Path, names: tuple[str, ...] = HOSTS) -> tuple[Path, Path]:
    """An authority's certificate, and a server's for the services' names with its key."""
    now = datetime.now(UTC)

    def signed(
        name: str, key: Any, issuer: str, issuer_key: Any, *extensions: tuple[x509.ExtensionType, bool]
    ) -> x509.Certificate:
        names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, issuer)]
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[0])
            .issuer_name(names[1])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(issuer_key, hashes.SHA256())

    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    root = signed("test", root_key, "test", root_key, (x509.BasicConstraints(True, None), True), (usage, True))
    hosts = x509.SubjectAlternativeName([x509.DNSName(host) for host in names])
    ours = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
    leaf = signed("services", key, "test", root_key, (hosts, False), (ours, False))
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    authority, chain = folder / "authority.pem", folder / "chain.pem"
    authority.write_bytes(root.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    chain.write_bytes(leaf.public_bytes(pem) + private)
    return authority, chain
