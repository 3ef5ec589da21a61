"""A headless Chromium, spoken to in its DevTools protocol."""

import base64
import json
import re
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import websockets.sync.client as websockets

CHROMIUM = next(
    (p for n in ("chromium", "chromium-browser", "google-chrome", "chrome") if (p := shutil.which(n))), None
)
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-extensions", "--disable-background-networking", "--hide-scrollbars", "--remote-debugging-port=0"),
)
KEY_CODES = {"ArrowUp": 38, "ArrowDown": 40, "ArrowLeft": 37, "ArrowRight": 39, "Space": 32}


class Page:
    """One tab. Use as a context manager."""

    def __init__(self, profile: Path, size: tuple[int, int] = (1440, 900)) -> None:
        assert CHROMIUM is not None
        self._log = (profile / "chromium.log").open("w+")
        command = [CHROMIUM, *FLAGS, f"--window-size={size[0]},{size[1]}", f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(command, stderr=self._log, stdout=subprocess.DEVNULL)
        port = self._port(profile / "chromium.log")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=20) as answer:
            tab = next(tab for tab in json.load(answer) if tab["type"] == "page")
        self._socket = websockets.connect(tab["webSocketDebuggerUrl"], max_size=None, compression=None)
        self._number, self.complaints = 0, []
        self.call("Runtime.enable")
        self.call("Log.enable")

    def _port(self, log: Path) -> int:
        deadline = time.monotonic() + 40.0
        while time.monotonic() < deadline:
            found = re.search(r"DevTools listening on ws://127\.0\.0\.1:(\d+)/", log.read_text())
            if found:
                return int(found[1])
            time.sleep(0.1)
        self.close()
        raise TimeoutError(f"Chromium did not start: {log.read_text()[-2000:]}")

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self._socket.close()
        self.close()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._log.close()

    def call(self, method: str, **given):
        """One command's result; what the page complains of on the way is kept."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": given}))
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("method") == "Runtime.exceptionThrown":
                self.complaints.append(message["params"]["exceptionDetails"])
            if message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
                self.complaints.append(message["params"]["entry"])
            if message.get("id") == self._number:
                assert "error" not in message, message["error"]
                return message["result"]

    def value(self, script: str):
        """What a JavaScript expression, or the promise that it is, comes to."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, script: str, seconds: float = 60.0):
        """Wait until an expression is true; its value."""
        deadline = time.monotonic() + seconds
        while not (value := self.value(script)):
            assert time.monotonic() < deadline, f"still not true after {seconds} s: {script}"
            time.sleep(0.05)
        return value

    def key(self, code: str, down: bool) -> None:
        """Press or release a key."""
        kind = "rawKeyDown" if down else "keyUp"
        number = KEY_CODES.get(code, ord(code[-1]))
        self.call("Input.dispatchKeyEvent", type=kind, code=code, key=code, windowsVirtualKeyCode=number)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag with the left button."""
        held = {"button": "left", "buttons": 1, "clickCount": 1}
        for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **held)

    def screenshot(self, path: Path) -> None:
        """The tab as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))
