"""A page in the browser, spoken to in the DevTools protocol over a pipe: the packaged headless shell has no `--dump-dom`."""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FLAGS = ("--headless", "--no-sandbox", "--no-zygote", "--disable-gpu", "--remote-debugging-pipe")
SECONDS = 90


class Page:
    """One page of one browser; leave it as a context, and the browser ends."""

    def __init__(self, command: list[str], environment: Mapping[str, str], profile: Path) -> None:
        asked, self._asks = os.pipe()
        self._answers, answered = os.pipe()
        # The browser reads commands from descriptor 3, and answers on 4. Other shells know no descriptor above 9.
        line = [
            "bash",
            "-c",
            f'exec "$@" 3<&{asked} 4>&{answered}',
            "bash",
            *command,
            *FLAGS,
            f"--user-data-dir={profile}",
        ]
        self._browser = subprocess.Popen(
            line, env=environment, pass_fds=(asked, answered), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(asked)
        os.close(answered)
        self._number, self._read, self._session = 0, b"", ""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.kill()
        self._browser.wait()
        os.close(self._asks)
        os.close(self._answers)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        os.write(
            self._asks, json.dumps(message | ({"sessionId": self._session} if self._session else {})).encode() + b"\0"
        )
        ends = time.monotonic() + SECONDS
        while True:
            while b"\0" not in self._read:
                if not select.select([self._answers], [], [], max(ends - time.monotonic(), 0))[0]:
                    raise TimeoutError(f"{method}: no answer within {SECONDS} s")
                more = os.read(self._answers, 1 << 20)
                if not more:
                    raise RuntimeError(f"{method}: the browser has ended")
                self._read += more
            answer, _, self._read = self._read.partition(b"\0")
            found = json.loads(answer)
            if found.get("id") == self._number:
                if "error" in found:
                    raise RuntimeError(f"{method}: {found['error']['message']}")
                return dict(found["result"])

    def show(self, html: str, *, width: int, dark: bool) -> None:
        """Show a page at a width, light or dark."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        # As on a phone, a scroll bar takes no width.
        self.ask("Emulation.setScrollbarsHidden", hidden=True)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        frame = self.ask("Page.getFrameTree")["frameTree"]["frame"]["id"]
        self.ask("Page.setDocumentContent", frameId=frame, html=html)

    def run(self, script: str) -> Any:
        """What a script, or the promise that it returns, ends with."""
        answer = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def picture(self) -> bytes:
        """The page as PNG, from top to bottom."""
        return base64.b64decode(self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"])
