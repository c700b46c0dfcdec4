"""Free memory of a machine, and of a container in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mcusim.system.memory import free_bytes


def test_the_smaller_counts(tmp_path: Path) -> None:
    machine, nothing = tmp_path / "meminfo", tmp_path / "nothing"
    machine.write_text("MemTotal:  9000 kB\nMemAvailable:    2000 kB\n")
    assert free_bytes(machine, nothing) == 2000 << 10
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("900000\n")
    (tmp_path / "memory.stat").write_text("anon 7\ninactive_file 50000\n")
    assert free_bytes(machine, tmp_path) == 150_000
    assert free_bytes(nothing, tmp_path) == 150_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes(machine, tmp_path) == 2000 << 10


def test_who_tells_nothing_sets_no_limit(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "nothing", tmp_path) == sys.maxsize
    (tmp_path / "meminfo").write_text("MemAvailable:\n")
    assert free_bytes(tmp_path / "meminfo", tmp_path) == sys.maxsize
    assert free_bytes() > 0


FAULTS = """
import resource
import numpy as np
from mcusim.system.memory import keep_freed
{}
def work():
    for _ in range(30):
        (np.ones((9000, 32)) * 3).sum()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
before = work()
print(work() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_what_was_freed_is_not_mapped_again() -> None:
    """Dask gives its workers such a threshold."""
    environment = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"}
    faults = [
        int(subprocess.check_output([sys.executable, "-c", FAULTS.format(call)], env=environment))
        for call in ("keep_freed()", "")
    ]
    assert faults[0] < 1000 < faults[1]
