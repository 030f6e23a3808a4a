"""Chromium without a window, driven through its debugging pipe: what it shows and complains of."""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

CHROMIUM = Path("/usr/bin/chromium")
_SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--remote-debugging-pipe")


class Browser:
    """One page. ``complaints`` are console errors, exceptions and refused resources."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        from_us, self._write = os.pipe()
        self._read, to_us = os.pipe()
        command = " ".join([str(CHROMIUM), *_SWITCHES, f"--user-data-dir={self._profile.name}",
                            "about:blank", f"3<&{from_us}", f"4>&{to_us}"])
        self._process = subprocess.Popen(
            ["bash", "-c", "exec " + command], pass_fds=(from_us, to_us),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(from_us)
        os.close(to_us)
        self._buffer = b""
        self._id = 0
        self._session: str | None = None
        target = next(t for t in self("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self._session = self("Target.attachToTarget", targetId=target["targetId"],
                             flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self(f"{domain}.enable")

    @property
    def pid(self) -> int:
        """The process of the browser, which starts others."""
        return self._process.pid

    def __call__(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self._id += 1
        message = {"id": self._id, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + 20
        while time.monotonic() < end:
            answer = self._receive(end)
            if answer and answer.get("id") == self._id:
                assert "error" not in answer, answer
                return dict(answer["result"])
        raise TimeoutError(method)

    def _receive(self, end: float) -> dict[str, Any] | None:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                return None
            self._buffer += os.read(self._read, 1 << 20)
        text, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(text)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, event: str, params: dict[str, Any]) -> None:
        if event == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"])[:500])
        elif event == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url')}")
        elif event == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.complaints.append(json.dumps(params["args"])[:500])
        elif event == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def look_like(self, width: int, height: int, *, dark: bool = False) -> None:
        """Take a screen's size and colour scheme."""
        self("Emulation.setDeviceMetricsOverride", width=width, height=height,
             deviceScaleFactor=1, mobile=width < 600)
        self("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, address: str) -> None:
        """Go to an address."""
        self("Page.navigate", url=address)

    def leave(self) -> None:
        """Go to an empty page, and be there: the last one asks its server for nothing more."""
        self.open("about:blank")
        self.wait("location.href === 'about:blank' && document.readyState === 'complete'")

    def js(self, expression: str) -> Any:
        """The value of an expression of the page."""
        answer = self("Runtime.evaluate", expression=expression, returnByValue=True,
                      awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, expression: str, seconds: float = 30.0) -> None:
        """Wait until an expression of the page is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.js(f"!!({expression})"):
                return
            self._receive(time.monotonic() + 0.1)
        raise TimeoutError(f"{expression}; complaints: {self.complaints}")

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Write a picture of the page, or of all that can be scrolled to."""
        shot = self("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._session = None
        try:
            self("Browser.close")
            self._process.wait(5)
        except (OSError, TimeoutError, AssertionError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._read)
        os.close(self._write)
        self._profile.cleanup()
