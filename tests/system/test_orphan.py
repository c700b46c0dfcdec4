"""A process whose parent is killed ends by itself, and takes its folder along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CHILD = """
import os, sys, time
from pathlib import Path
from mcusim.system.orphan import end_with
end_with(int(sys.argv[1]), Path(sys.argv[2]))
print(os.getpid(), flush=True)
time.sleep(60)
"""
PARENT = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid()), sys.argv[2]], start_new_session=True)
time.sleep(60)
"""


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_child_of_a_process_that_is_killed_ends_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "samples"
    folder.mkdir()
    words = [sys.executable, "-c", PARENT, CHILD, str(folder)]
    parent = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    time.sleep(0.6)
    assert not has_ended(child) and folder.is_dir()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until = time.monotonic() + 20
    while not has_ended(child):
        assert time.monotonic() < until, "an orphan goes on"
        time.sleep(0.05)
    assert not folder.exists()
