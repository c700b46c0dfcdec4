"""GitHub's API as a job sees it: artefacts and comments, on 127.0.0.1."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

TOKEN = "token-of-the-job"


def packed(**files: bytes) -> bytes:
    """A zip archive; `report_json` is the file report.json."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return data.getvalue()


@dataclass
class GitHub:
    """`refuses`: the status with which everything is refused. `asked`: method and path of each request."""

    url: str = ""
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    archives: dict[int, bytes] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    refuses: int = 0
    asked: list[str] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)

    def add_artifact(self, archive: bytes, branch: str = "main", *, run: int = 1, fork: bool = False) -> dict[str, Any]:
        number = len(self.artifacts) + 1
        told = {"id": run, "repository_id": 5, "head_repository_id": 6 if fork else 5, "head_branch": branch}
        self.artifacts.insert(0, {"id": number, "name": "mcusim", "expired": False, "workflow_run": told})
        self.archives[number] = archive
        return self.artifacts[0]

    def answer(self, method: str, path: str, body: Any) -> tuple[int, bytes | Any]:
        asked, query = urlsplit(path).path.removeprefix("/repos/o/r/"), parse_qs(urlsplit(path).query)
        self.asked.append(f"{method} {asked}")
        if self.refuses:
            return self.refuses, {"message": "no"}
        match [method, *asked.split("/")]:
            case ["GET", "actions", "artifacts"]:
                named = [entry for entry in self.artifacts if [entry["name"]] == query["name"]]
                return 200, {"artifacts": _page(named, query)}
            case ["GET", "actions", "artifacts", number, "zip"]:
                return 200, self.archives[int(number)]
            case ["GET", "issues", "7", "comments"]:
                return 200, _page(self.comments, query)
            case ["POST", "issues", "7", "comments"]:
                self.comments.append({"id": len(self.comments) + 1, "user": {"type": "Bot"}, **body})
                return 201, {"html_url": "https://example.org/c"}
            case ["PATCH", "issues", "comments", number]:
                self.comments[int(number) - 1] |= body
                return 200, {"html_url": "https://example.org/c"}
        return 404, {}


def _page(entries: list[dict[str, Any]], query: dict[str, list[str]]) -> list[dict[str, Any]]:
    size, number = int(query["per_page"][0]), int(query["page"][0])
    return entries[(number - 1) * size : number * size]


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[GitHub]:
    """The API, and the environment of a job of pull request 7."""
    state = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            state.tokens.add(self.headers.get("Authorization"))
            status, told = state.answer(self.command, self.path, json.loads(body) if body else None)
            content = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = _do

        def log_message(self, format: str, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{http.server_port}"
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"repository": {"default_branch": "main"}, "pull_request": {"number": 7}}))
    told = {"API_URL": state.url, "REPOSITORY": "o/r", "RUN_ID": "99", "TOKEN": TOKEN, "EVENT_PATH": str(event)}
    for name, value in told.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    yield state
    http.shutdown()
    http.server_close()
