"""Who computes waits for a core that is free."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from mcusim.system import cores
from mcusim.system.cores import core_held


def test_no_more_compute_than_there_are_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "cores", lambda: 2)
    monkeypatch.setattr(cores, "_POLL_S", 0.001)
    computing, most, ended = threading.Semaphore(2), threading.Barrier(2, timeout=30), []

    def compute(number: int) -> None:
        with core_held(tmp_path / "new", ".core"):
            assert computing.acquire(blocking=False)
            most.wait()  # two are here at once
            ended.append(number)
            computing.release()

    workers = [threading.Thread(target=compute, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert sorted(ended) == [0, 1, 2, 3]
    assert len(list((tmp_path / "new").glob("*.core"))) == 2


def test_a_process_that_is_killed_leaves_its_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "cores", lambda: 1)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with core_held(tmp_path, ".core"):
            os.write(write, b"1")
            signal.pause()
    assert os.read(read, 1) == b"1"
    [file] = tmp_path.iterdir()
    with file.open("wb") as lock:
        assert not cores._is_taken(lock)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with core_held(tmp_path, ".core"):
        pass
    os.close(read)
    os.close(write)


def test_where_nothing_can_be_locked_nobody_waits(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with core_held(tmp_path / "file" / "folder", ".core"):
        pass
