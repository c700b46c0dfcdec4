"""Ctrl-C in the first moment of the program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import HANG_S

ROOT = Path(__file__).parents[2]
WAITS = "import os, time\nos.write(1, b'go\\n')\nwhile True: time.sleep(0.05)\n"


def started(folder: Path, *words: str) -> subprocess.Popen[str]:
    """In a process that waits before it looks into `mcusim.__main__`, once it has said so."""
    (folder / "sitecustomize.py").write_text(f"""
import sys
class Hook:
    @staticmethod
    def find_spec(name, *_):
        if name == "mcusim.__main__":
            exec({WAITS!r})
sys.meta_path.insert(0, Hook)
""")
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{ROOT}"}
    command = [sys.executable, *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout and process.stdout.readline() == "go\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_before_the_program_is_found(tmp_path: Path, number: signal.Signals) -> None:
    """The package is there, its `__main__` is being looked for."""
    process = started(tmp_path, "-m", "mcusim", "boards")
    process.send_signal(number)
    assert process.communicate(timeout=HANG_S)[1] == "interrupted\n" and process.returncode == 130


def test_the_package_alone_leaves_signals_to_others(tmp_path: Path) -> None:
    process = started(tmp_path, "-c", "import mcusim, mcusim.__main__", "mcusim")
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=HANG_S)[1] == "" and process.returncode == -signal.SIGTERM
