"""Tests -> what they ran of the package, as coverage.py tells it in JSON.

Counted are the process of pytest, those that it deals tests to, and every Python that these start in turn: `mcusim`
itself, workers of clusters and of engines, forks. What is killed tells nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcusim.system.errors import ConfigurationError

# Data lie in one folder, whatever a process works in. Warnings would be lines that tests of streams do not expect.
SETTINGS = """\
[run]
branch = true
source = {package}
data_file = {folder}/data
parallel = true
patch = subprocess, fork, execv, _exit
sigterm = true
disable_warnings = no-data-collected, module-not-measured, module-not-imported, couldnt-parse, trace-changed
    no-sysmon, no-ctracer, dynamic-conflict, already-imported
[report]
exclude_also =
    raise NotImplementedError
    if __name__ == .__main__.:
[json]
pretty_print = true
"""


def measured(package: Path, folder: Path, arguments: Sequence[str]) -> int:
    """Run pytest with these arguments and keep in `folder` what it ran -> its exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("data*"), *folder.glob("*.json")):
        old.unlink()
    _settings(folder).write_text(SETTINGS.format(package=package, folder=folder), encoding="utf-8")
    code = _coverage("run", folder, "-m", "pytest", *arguments)
    if not list(folder.glob("data*")):
        raise ConfigurationError("the tests left no data", hint="run script/test with the same arguments")
    _coverage("combine", folder, "--quiet")
    _coverage("json", folder, "--quiet", "-o", str(_told(folder)))
    return code


def kept(folder: Path) -> dict[str, Any]:
    """What the last run told, by file."""
    try:
        read: dict[str, dict[str, Any]] = json.loads(_told(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{folder} has nothing of a run", hint="run the tests first") from error
    return read["files"]


def _settings(folder: Path) -> Path:
    return folder / "settings.ini"


def _told(folder: Path) -> Path:
    return folder / "coverage.json"


def _coverage(command: str, folder: Path, *arguments: str) -> int:
    words = [sys.executable, "-m", "coverage", command, f"--rcfile={_settings(folder)}", *arguments]
    return subprocess.run(words, env={**os.environ, "PYTHONWARNINGS": ""}, check=False).returncode
