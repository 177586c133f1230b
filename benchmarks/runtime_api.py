"""Lambda's Runtime API as one process sees it: hands out an event, takes the answer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FUNCTION_ARN = "arn:aws:lambda:eu-west-1:123456789012:function:detect_drift"
_DEADLINE_MS = 600_000


@dataclass
class RuntimeApi:
    """A server for one environment of a function; it answers `events` in turn, then keeps the client waiting.

    Attributes
    ----------
    answered : list of (float, bool, str)
        When each answer came (`time.perf_counter`), whether it is a result (an error otherwise), and its text.
    """

    events: Sequence[Any]
    answered: list[tuple[float, bool, str]] = field(default_factory=list)
    finished: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> RuntimeApi:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                place = len(api.answered)
                if place >= len(api.events):
                    api.finished.wait()
                    # Whoever asked is ended meanwhile.
                    self.close_connection = True
                    return
                body = json.dumps(api.events[place]).encode()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", f"request-{place}")
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + _DEADLINE_MS))
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", FUNCTION_ARN)
                self.send_header("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000;Sampled=0")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(errors="replace")
                is_result = self.path.endswith("/response")
                # Noted before it is acknowledged: another connection, on another thread, asks for the next event.
                api.answered.append((time.perf_counter(), is_result, text))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()
                if not is_result or len(api.answered) >= len(api.events):
                    api.finished.set()

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.finished.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        """What AWS_LAMBDA_RUNTIME_API holds."""
        return f"127.0.0.1:{self._server.server_port}"
