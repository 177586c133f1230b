"""The account over HTTP: the AWS CLI and boto3 with an endpoint URL reach the very account that lives in this process.

AWS has an endpoint per service; here one address answers for all, and tells them apart by the signature's scope, as
moto's server does. What offline adds sits in moto's backends and responses, so it is there too. Beside them
`/_kedge/clock` tells the account's time (GET) and moves it (POST {"advance_to": ISO time} or {"advance_seconds":
number}), and `/_kedge/account` tells where the account keeps its files (GET) and deploys a cloud assembly of this machine
into it (POST {"assembly": path}), as an update of what is there. Requests are answered one at a time. Signatures are not
checked and calls are not recorded: everyone is the administrator, so this listens on the machine itself only.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from offline.cloudformation.stacks import Stacks
from offline.cloudformation.template_check import DeployError
from offline.region import Region

HOST = "127.0.0.1"
CLOCK_PATH, ACCOUNT_PATH = "/_kedge/clock", "/_kedge/account"
PACE_STEP_SECONDS = 1.0  # of real time, between two moves of a clock that keeps pace


class QuietHandler(MotoRequestHandler):
    """Answers without a line on the terminal for each request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


class Server:
    """The listening socket, the threads behind it, and the account that they serve."""

    def __init__(
        self, region: Region, stacks: Stacks, deploy: Callable[[Path], object], port: int, about: Mapping[str, str]
    ) -> None:
        self.region, self.stacks, self.deploy, self.about = region, stacks, deploy, about
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
                    self.region.clock.advance_to(self.region.clock.now + timedelta(seconds=speed * PACE_STEP_SECONDS))

        threading.Thread(target=run, name="clock", daemon=True).start()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self._one_at_a_time:
            path = environ.get("PATH_INFO")
            if path == CLOCK_PATH:
                return list(self._own(self._advance, self._time, environ, start_response))
            if path == ACCOUNT_PATH:
                return list(self._own(self._deploy, self._place, environ, start_response))
            return list(self._moto(environ, start_response))

    def _own(
        self,
        order: Callable[[dict[str, Any]], Mapping[str, Any]],
        tell: Callable[[], Mapping[str, Any]],
        environ: dict[str, Any],
        start_response: Callable[..., Any],
    ) -> Iterable[bytes]:
        """Answer what is no service of AWS's: carry an order out if there is one, and tell."""
        request, status = Request(environ), 200
        answer: Mapping[str, Any] = {}
        if request.method == "POST":
            try:
                answer = order(json.loads(request.get_data() or b"{}"))
            except (DeployError, ValueError, TypeError, AttributeError, KeyError, OSError) as error:
                status, answer = 400, {"message": str(error)}
        document = json.dumps({**answer, **tell()})
        return Response(document, status, content_type="application/json")(environ, start_response)

    def _time(self) -> dict[str, str]:
        return {"now": f"{self.region.clock.now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}

    def _place(self) -> dict[str, str]:
        return {**self.about, "directory": str(self.region.directory)}

    def _deploy(self, order: dict[str, Any]) -> dict[str, list[str]]:
        def told() -> dict[str, int]:
            return {name: len(record.shown.events) for name, record in self.stacks.records.items()}

        before = told()
        self.deploy(Path(order["assembly"]))
        return {"changed": [name for name, events in told().items() if events != before.get(name)]}

    def _advance(self, order: dict[str, Any]) -> dict[str, Any]:
        now = self.region.clock.now
        until = datetime.fromisoformat(order["advance_to"]) if "advance_to" in order else now
        until += timedelta(seconds=float(order.get("advance_seconds", 0)))
        if until < now:
            raise ValueError(f"the clock shows {now:%Y-%m-%dT%H:%M:%SZ} and never goes back")
        self.region.clock.advance_to(until)
        return {}
