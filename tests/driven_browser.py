"""A headless Chromium that does what a test says, by the DevTools protocol over two pipes."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")
PATIENCE = 60_000  # milliseconds in which something is to come about: a machine may be busy


class Tab:
    """One page of the browser."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read, self._rest = write, read, b""
        self._numbers, self._session = itertools.count(1), ""
        self.said: list[str] = []  # errors, and what was written to the console
        self.asked: list[str] = []  # the addresses of its requests
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")

    def open(self, address: str) -> None:
        """Go to an address and wait until it has loaded."""
        self._ask("Page.navigate", url=address)
        self.comes_to("document.readyState === 'complete'")

    def value(self, expression: str) -> Any:
        """Return what a JavaScript expression, or the promise that it is, comes to."""
        done = self._ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def comes_to(self, condition: str, seconds: float = PATIENCE / 1000) -> None:
        """Wait until a JavaScript condition holds."""
        wait = f"""new Promise((resolve) => {{
            const until = Date.now() + {1000 * seconds};
            const look = () => {{
                if ({condition}) resolve(true);
                else if (Date.now() > until) resolve(false);
                else setTimeout(look, 5);
            }};
            look();
        }})"""
        assert self.value(wait), f"{condition}: not so; the page says {self.value('document.body.innerText')}"

    def write(self, text: str) -> None:
        """Put in a text, as a paste does, where the cursor is, and press Enter."""
        self._ask("Input.insertText", text=text)
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
        self._ask("Input.dispatchKeyEvent", type="keyDown", text="\r", **key)
        self._ask("Input.dispatchKeyEvent", type="keyUp", **key)

    def resize(self, width: int, height: int) -> None:
        """Give the window a size in CSS pixels."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def media(self, kind: str) -> None:
        """Show the page as on a screen or on paper."""
        self._ask("Emulation.setEmulatedMedia", media=kind)

    def picture(self, path: Path) -> None:
        """Write what the window shows as a PNG."""
        path.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot", format="png")["data"]))

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return dict(answer["result"])
            self._note(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._read, 1 << 16)
            assert more, "the browser has ended"
            self._rest += more
        first, self._rest = self._rest.split(b"\0", 1)
        return dict(json.loads(first))

    def _note(self, event: dict[str, Any]) -> None:
        told = event.get("params", {})
        match event.get("method"):
            case "Runtime.consoleAPICalled":
                self.said.append(" ".join(str(one.get("value", "")) for one in told["args"]))
            case "Runtime.exceptionThrown":
                self.said.append(told["exceptionDetails"]["text"])
            case "Log.entryAdded":
                self.said.append(told["entry"]["text"])
            case "Network.requestWillBeSent":
                self.asked.append(told["request"]["url"])
            case "Network.webSocketCreated":
                self.asked.append(told["url"])


@contextlib.contextmanager
def browsing(browser: str, profile: Path, *options: str) -> Iterator[Tab]:
    """Start the browser, with some options more, and one empty page; it ends with the block."""
    their_read, our_write = os.pipe()
    our_read, their_write = os.pipe()

    def three_and_four() -> None:
        read, write = os.dup(their_read), os.dup(their_write)  # either may be 3 or 4 itself
        os.dup2(read, 3)
        os.dup2(write, 4)

    command = [browser, *OPTIONS, *options, "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(
        command, preexec_fn=three_and_four, close_fds=False, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for end in (their_read, their_write):
        os.close(end)
    try:
        yield Tab(our_write, our_read)
    finally:
        for end in (our_write, our_read):
            os.close(end)
        process.kill()
        process.wait()
