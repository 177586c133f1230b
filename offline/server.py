"""The account over HTTP: the AWS CLI and boto3 with an endpoint URL reach the very account that lives in this process.

AWS has an endpoint per service; here one address answers for all, and tells them apart by the signature's scope, as
moto's server does. What offline adds sits in moto's backends and responses, so it is there too. Beside them
`/_kedge/clock` tells the account's time (GET) and moves it (POST {"advance_to": ISO time} or {"advance_seconds":
number}). Requests are answered one at a time. Signatures are not checked and calls are not recorded: everyone is the
administrator, so this listens on the machine itself only.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

HOST = "127.0.0.1"
CLOCK_PATH = "/_kedge/clock"
PACE_STEP_SECONDS = 1.0  # of real time, between two moves of a clock that keeps pace


def serve(account: Any, port: int) -> Server:
    """Answer on a port of this machine (0 picks a free one) until the server or the account is closed."""
    server = Server(account, port)
    account.on_close(server.close)
    return server


class QuietHandler(MotoRequestHandler):
    """Answers without a line on the terminal for each request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


class Server:
    """The listening socket, the threads behind it, and the account that they serve."""

    def __init__(self, account: Any, port: int) -> None:
        self.account = account
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._one_at_a_time = threading.RLock()
        self._closed = threading.Event()
        self._server = make_server(HOST, port, self._answer, threaded=True, request_handler=QuietHandler)
        self.port = int(self._server.server_address[1])
        self.url = f"http://{HOST}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="HTTP", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; a second call does no harm."""
        if not self._closed.is_set():
            self._closed.set()
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def wait(self) -> None:
        """Block until the server is closed."""
        self._closed.wait()

    def keep_pace(self, speed: float = 1.0) -> None:
        """Have the account's clock run by itself, `speed` times as fast as real time, until the server is closed."""

        def run() -> None:
            while not self._closed.wait(PACE_STEP_SECONDS):
                with self._one_at_a_time:
                    self.account.clock.advance_to(self.account.clock.now + timedelta(seconds=speed * PACE_STEP_SECONDS))

        threading.Thread(target=run, name="clock", daemon=True).start()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self._one_at_a_time:
            application = self._clock if environ.get("PATH_INFO") == CLOCK_PATH else self._moto
            return list(application(environ, start_response))

    def _clock(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request, status = Request(environ), 200
        answer: dict[str, str] = {}
        if request.method == "POST":
            try:
                self._advance(json.loads(request.get_data() or b"{}"))
            except (ValueError, TypeError, AttributeError) as error:
                status, answer = 400, {"message": str(error)}
        answer["now"] = f"{self.account.clock.now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        return Response(json.dumps(answer), status, content_type="application/json")(environ, start_response)

    def _advance(self, order: dict[str, Any]) -> None:
        now = self.account.clock.now
        until = datetime.fromisoformat(order["advance_to"]) if "advance_to" in order else now
        until += timedelta(seconds=float(order.get("advance_seconds", 0)))
        if until < now:
            raise ValueError(f"the clock shows {now:%Y-%m-%dT%H:%M:%SZ} and never goes back")
        self.account.clock.advance_to(until)
