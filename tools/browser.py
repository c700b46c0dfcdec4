"""Pages in a headless Chromium, one start for all of them: what they say, ask for, and look like.

It is spoken to through pipes, in the DevTools protocol (`--remote-debugging-pipe`), so that nothing but the browser is
needed.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FROM_US, TO_US = 3, 4  # the browser's descriptors
STALL_S = 60.0
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe")
Message = dict[str, Any]


class BrowserError(Exception):
    """It does not answer, or refuses."""


def program() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


@dataclass
class Browser:
    """`write`, `read`: our ends of the pipes."""

    write: int
    read: int
    _count: int = 0
    _rest: bytes = b""
    _events: list[Message] = field(default_factory=list)

    def visit(self, url: str, width: int, *, dark: bool = False, height: int = 900) -> Visit:
        """Opens a page, and waits until it is there."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        visit = Visit(self, session, target, url)
        for domain in ("Page", "Runtime", "Log", "Network"):
            visit.call(f"{domain}.enable")
        visit.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        visit.call("Emulation.setEmulatedMedia", features=[scheme])
        visit.call("Page.navigate", url=url)
        self._until(lambda one: one.get("method") == "Page.loadEventFired" and one.get("sessionId") == session)
        visit.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return visit

    def call(self, method: str, session: str | None = None, **parameters: Any) -> Message:
        self._count += 1
        asked = {"id": self._count, "method": method, "params": parameters}
        asked |= {"sessionId": session} if session else {}
        data = json.dumps(asked).encode() + b"\0"
        while data:
            data = data[os.write(self.write, data) :]
        answer = self._until(lambda one: one.get("id") == asked["id"])
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error'].get('message')}")
        result: Message = answer["result"]
        return result

    def events(self, session: str) -> list[Message]:
        """All that it told of a page, so far."""
        return [one for one in self._events if one.get("sessionId") == session]

    def _until(self, wanted: Any) -> Message:
        end = time.monotonic() + STALL_S
        while True:
            message = self._message(end)
            if "method" in message:
                self._events.append(message)
            if wanted(message):
                return message

    def _message(self, end: float) -> Message:
        while b"\0" not in self._rest:
            ready, *_ = select.select([self.read], [], [], max(0.0, end - time.monotonic()))
            data = os.read(self.read, 2**20) if ready else b""
            if not data:
                raise BrowserError("the browser has gone" if ready else f"no answer within {STALL_S:g} s")
            self._rest += data
        text, _, self._rest = self._rest.partition(b"\0")
        found: Message = json.loads(text)
        return found


@dataclass
class Visit:
    """A page that is open."""

    browser: Browser
    session: str
    target: str
    url: str

    def call(self, method: str, **parameters: Any) -> Message:
        return self.browser.call(method, self.session, **parameters)

    def evaluate(self, script: str) -> Any:
        """The value of a script, in the page; the page's own rules for scripts do not concern it."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            details = found["exceptionDetails"]
            raise BrowserError(str(details.get("exception", {}).get("description", details["text"])).partition("\n")[0])
        return found["result"].get("value")

    @property
    def messages(self) -> list[str]:
        """Of the console: logged, thrown, or complained about by the browser, as of a request that is forbidden."""
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(one["params"]) for one in self.browser.events(self.session) if one["method"] in kinds]

    @property
    def requests(self) -> list[str]:
        """Of anything but the page itself, and what it holds."""
        asked = (one for one in self.browser.events(self.session) if one["method"] == "Network.requestWillBeSent")
        urls = [str(one["params"]["request"]["url"]) for one in asked]
        return [url for url in urls if url != self.url and not url.startswith("data:")]

    def picture(self, x: float, y: float, width: float, height: float) -> bytes:
        """A PNG of a part of the page."""
        clip = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
        found = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(found["data"])

    def close(self) -> None:
        self.browser.call("Target.closeTarget", targetId=self.target)


@contextmanager
def browser(name: str) -> Iterator[Browser]:
    """`name`: of `program`. It ends with the context."""
    ours, theirs = _pipe(), _pipe()  # what we write and it reads; what it writes and we read
    with tempfile.TemporaryDirectory(prefix="mcusim-browser-", ignore_cleanup_errors=True) as folder:
        actions = [
            (os.POSIX_SPAWN_DUP2, ours[0], FROM_US),
            (os.POSIX_SPAWN_DUP2, theirs[1], TO_US),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ]
        command = [name, *OPTIONS, f"--user-data-dir={folder}"]
        started = os.posix_spawn(name, command, dict(os.environ), file_actions=actions, setsid=True)
        os.close(ours[0])
        os.close(theirs[1])
        try:
            yield Browser(ours[1], theirs[0])
        finally:
            os.killpg(started, signal.SIGKILL)
            os.waitpid(started, 0)
            os.close(ours[1])
            os.close(theirs[0])


def _pipe() -> tuple[int, int]:
    """(read, write), away from the descriptors that the browser wants."""
    ends = os.pipe()
    moved = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return moved[0], moved[1]
