"""A web server of our own on 127.0.0.1 that can be told to misbehave."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

CONTENT = np.random.default_rng(0).bytes(300_000)


@dataclass
class Server:
    """Serves `content` under every path. `cut` gives for each request after how many bytes the connection ends."""

    content: bytes = CONTENT
    cut: list[int] = field(default_factory=list)
    continues: bool = True
    tells_length: bool = True
    status: int = 200
    stalls_s: float = 0.0  # before the end of a connection that is cut
    url: str = ""
    ranges: list[str | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.ranges.append(asked)
        self.paths.append(request.path)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.continues else 0
        if start >= len(self.content):
            request.send_response(416)
            request.end_headers()
            return
        body = self.content[start:]
        request.send_response(206 if start else self.status)
        if self.tells_length:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if not self.cut:
            request.wfile.write(body)
            return
        request.wfile.write(body[: self.cut.pop(0)])
        request.wfile.flush()
        time.sleep(self.stalls_s)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{http.server_port}/data.zip"
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    yield state
    http.shutdown()
    http.server_close()
