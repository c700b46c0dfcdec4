"""What git says of a folder, or that it says nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mcusim.system.git import commit_of


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=n", "-c", "user.email=e@e", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def repository(folder: Path) -> str:
    git(folder, "init", "--quiet")
    (folder / "experiment.toml").write_text("a\n")
    git(folder, "add", "experiment.toml")
    git(folder, "commit", "--quiet", "-m", "one")
    return git(folder, "rev-parse", "HEAD")


def test_the_commit_also_from_a_folder_inside_and_past_a_tag(tmp_path: Path) -> None:
    commit = repository(tmp_path)
    git(tmp_path, "tag", "v1")
    (tmp_path / "inner").mkdir()
    assert commit_of(tmp_path / "inner") == (commit, False)


def test_what_was_changed_is_told_and_what_was_built_is_not(tmp_path: Path) -> None:
    commit = repository(tmp_path)
    (tmp_path / "report.json").write_text("{}")
    assert commit_of(tmp_path) == (commit, False)
    (tmp_path / "experiment.toml").write_text("b\n")
    assert commit_of(tmp_path) == (commit, True)


def test_no_repository_no_commit_and_no_folder(tmp_path: Path) -> None:
    assert commit_of(tmp_path) is None
    git(tmp_path, "init", "--quiet")
    assert commit_of(tmp_path) is None, "it has no commit yet"
    assert commit_of(tmp_path / "nothing") is None


def test_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    assert commit_of(tmp_path) is None


def test_a_monitor_that_the_repository_names_is_not_run(tmp_path: Path) -> None:
    commit = repository(tmp_path)
    monitor = tmp_path / "monitor"
    monitor.write_text("#!/bin/sh\ntouch ran\n")
    monitor.chmod(0o755)
    git(tmp_path, "config", "core.fsmonitor", str(monitor))
    assert commit_of(tmp_path) == (commit, False) and not (tmp_path / "ran").exists()
