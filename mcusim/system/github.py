"""GitHub's API, for the job that this runs in: an artefact of the default branch, and one comment on a pull request."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcusim.system.download import PIECE_BYTES, TIMEOUT_S, reason_of
from mcusim.system.errors import ConfigurationError, DataError, McusimError, MissingToolError
from mcusim.system.files import read_file
from mcusim.system.names import cut, file_name

if TYPE_CHECKING:
    import requests

LARGEST_COMMENT_BYTES = 65_536
LARGEST_FILE_BYTES = 2**28  # of an artefact, packed and unpacked
PAGE, MOST_PAGES = 100, 30
OUTSIDE = "it is for jobs of GitHub Actions: run it in one, or use `mcusim report` and `mcusim compare`"


@dataclass(frozen=True)
class Job:
    """What the runner tells of the job. `event`: what it was started by."""

    api: str
    repository: str
    run_id: str
    token: str
    event: Mapping[str, Any]

    @classmethod
    def here(cls) -> Job:
        """Raises ConfigurationError where this is no job."""
        told = [os.environ.get("GITHUB_API_URL"), os.environ.get("GITHUB_REPOSITORY"), os.environ.get("GITHUB_RUN_ID")]
        told += [os.environ.get("GITHUB_TOKEN"), os.environ.get("GITHUB_EVENT_PATH")]
        api, repository, run_id, token, path = (value or "" for value in told)
        if not all(told):
            names = "GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_RUN_ID, GITHUB_TOKEN or GITHUB_EVENT_PATH"
            raise ConfigurationError(f"this is no job of GitHub: {names} is not set", hint=OUTSIDE)
        try:
            event = json.loads(read_file(Path(path), LARGEST_FILE_BYTES, hint=OUTSIDE))
        except ValueError:
            raise ConfigurationError("what GITHUB_EVENT_PATH names is no JSON", where=path, hint=OUTSIDE) from None
        return cls(api, repository, run_id, token, event if isinstance(event, dict) else {})

    @property
    def pull_request(self) -> int | None:
        number = _at(self.event, "pull_request", "number")
        return number if isinstance(number, int) else None

    @property
    def default_branch(self) -> str | None:
        branch = _at(self.event, "repository", "default_branch")
        return branch if isinstance(branch, str) else None


def baseline(job: Job, artifact: str, member: str) -> bytes | None:
    """That file of the newest artefact of that name of the default branch; None when there is none yet.

    Raises ConfigurationError when the token may not read, MissingToolError when GitHub does not answer, DataError when
    its answer or the artefact is damaged.
    """
    for found in _pages(job, "actions/artifacts", "artifacts", name=artifact):
        if _is_of_default_branch(job, found) and isinstance(found.get("id"), int):
            return _member(_ask(job, "GET", f"actions/artifacts/{found['id']}/zip"), member, artifact)
    return None


def _is_of_default_branch(job: Job, artifact: Mapping[str, Any]) -> bool:
    """A fork may have a branch of that name, and its pull request an artefact of ours."""
    run = artifact.get("workflow_run")
    if not isinstance(run, dict) or artifact.get("expired") or str(run.get("id")) == job.run_id:
        return False
    own = run.get("head_repository_id") == run.get("repository_id") is not None
    return own and job.default_branch is not None and run.get("head_branch") == job.default_branch


def comment(job: Job, name: str, text: str) -> str | None:
    """Say it on the pull request, in the place of what was said there under that name. -> its address, where known.

    Raises as `baseline`, and ConfigurationError where there is no pull request.
    """
    if job.pull_request is None:
        raise ConfigurationError("the job is not one of a pull request", hint="on: pull_request starts it for one")
    marker = f"<!-- mcusim: {file_name(name)} -->"
    body = {"body": cut(f"{marker}\n{text}", LARGEST_COMMENT_BYTES, "The rest is in the report.")}
    there = f"issues/{job.pull_request}/comments"
    for said in _pages(job, there, None):
        if _at(said, "user", "type") == "Bot" and str(said.get("body", "")).startswith(marker):
            answer = _ask(job, "PATCH", f"issues/comments/{int(said['id'])}", json=body)
            break
    else:
        answer = _ask(job, "POST", there, json=body)
    address = _at(_json(answer), "html_url")
    return address if isinstance(address, str) else None


def _pages(job: Job, path: str, key: str | None, **asked: str) -> Iterator[dict[str, Any]]:
    """Entries of a list of the API, one page after the other."""
    for page in range(1, MOST_PAGES + 1):
        values = _json(_ask(job, "GET", path, params={**asked, "per_page": PAGE, "page": page}))
        found = values if key is None else _at(values, key)
        if not isinstance(found, list):  # of a proxy, which would be told as an empty list
            hint = "run the job again; see githubstatus.com"
            raise DataError("GitHub's answer is no list", where=f"{job.repository}/{path}", hint=hint)
        yield from (entry for entry in found if isinstance(entry, dict))
        if len(found) < PAGE:
            return


def _ask(job: Job, method: str, path: str, **given: Any) -> bytes:
    import requests

    url = f"{job.api}/repos/{job.repository}/{path}"
    headers = {"Authorization": f"Bearer {job.token}", "Accept": "application/vnd.github+json"}
    try:
        with requests.request(method, url, headers=headers, timeout=TIMEOUT_S, stream=True, **given) as answer:
            if answer.status_code in (401, 403, 404):
                raise _refused(method, url, answer.status_code)
            answer.raise_for_status()
            return _bounded(answer, url)
    except requests.RequestException as error:
        hint = "run the job again; see githubstatus.com"
        raise MissingToolError(f"GitHub does not do it: {reason_of(error)}", where=url, hint=hint) from None


def _refused(method: str, url: str, status: int) -> McusimError:
    needed = "actions: read" if "/actions/" in url else "pull-requests: write"
    told = "" if method == "GET" else "; pull requests from forks never may"
    hint = f"give the job `permissions: {{contents: read, {needed}}}`{told}"
    return ConfigurationError(f"the token of the job may not do that ({status})", where=url, hint=hint)


def _bounded(answer: requests.Response, url: str) -> bytes:
    data = bytearray()
    for piece in answer.iter_content(PIECE_BYTES):
        data += piece
        if len(data) > LARGEST_FILE_BYTES:
            raise DataError("GitHub's answer is too large", where=url, hint="give the report as a file")
    return bytes(data)


def _member(archive: bytes, name: str, artifact: str) -> bytes:
    hint = "remove the artefact, or give the report as a file"
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened, opened.open(name) as file:
            data = file.read(LARGEST_FILE_BYTES + 1)
    except (KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError):
        raise DataError(f"the artefact {artifact!r} has no readable {name!r}", hint=hint) from None
    if len(data) > LARGEST_FILE_BYTES:
        raise DataError(f"{name!r} of the artefact {artifact!r} is too large", hint=hint)
    return data


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _at(value: Any, *keys: str) -> Any:
    """What lies there; None where there is no such place."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
