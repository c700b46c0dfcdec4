"""Processes and clusters: the same points as in this process, whatever becomes of a worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import mcusim.system.cluster as cluster_module
from mcusim.explore.evaluate import Task
from mcusim.explore.explore import files_of, task_of
from mcusim.explore.workers import Here, opened
from mcusim.system.errors import ConfigurationError, MissingToolError
from tests.explore import exploring

distributed = pytest.importorskip("distributed")


def able() -> None:
    """This machine has all."""


def lacking(pid: int) -> None:
    if os.getpid() == pid:
        raise MissingToolError("arm-none-eabi-gcc was not found", hint="install it")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as made:
        yield made


@pytest.fixture
def tasks(tmp_path: Path) -> list[Task]:
    experiment, space = exploring.opened(exploring.write(tmp_path))
    every = [(first, second) for first in range(3) for second in range(2)]
    return [task_of(experiment, space, tmp_path / "out", genes, "estimate", files_of(experiment)) for genes in every]


def test_a_cluster_gives_what_this_process_gives(cluster: Any, tasks: list[Task]) -> None:
    with opened(cluster.scheduler_address, 1, able) as there:
        found = {task.key: point for task, point in there.run(tasks)}
    assert found == {task.key: point for task, point in Here().run(tasks)} and len(found) == 6


def test_a_worker_without_tools_is_left_out_and_said(cluster: Any, tasks: list[Task]) -> None:
    with distributed.Client(cluster) as client:
        first, pid = min(client.run(os.getpid).items())
    with opened(cluster.scheduler_address, 1, partial(lacking, pid)) as there:
        [note] = there.notes
        assert first in note and "arm-none-eabi-gcc" in note
        assert not any(point.error for _, point in there.run(tasks[:2]))


def missing() -> None:
    raise MissingToolError("qemu-system-arm was not found", hint="install it")


def test_workers_that_all_lack_it_are_an_error(cluster: Any) -> None:
    with (
        pytest.raises(ConfigurationError, match="none is able") as caught,
        opened(cluster.scheduler_address, 1, missing),
    ):
        pass
    assert "qemu-system-arm" in (caught.value.hint or "")


def test_another_mcusim_is_an_error(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "which", lambda: "9.9.9")
    with (
        pytest.raises(ConfigurationError, match="another mcusim: ") as caught,
        opened(cluster.scheduler_address, 1, able),
    ):
        pass
    assert "9.9.9" in caught.value.what


@pytest.mark.parametrize("address", ["nonsense", "tcp://127.0.0.1:1", "", "gopher://x:1"])
def test_a_scheduler_that_cannot_be_reached(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "PATIENCE_S", 0.2)
    clients = set(distributed.Client._instances)
    with pytest.raises(ConfigurationError, match="no scheduler answers") as caught:
        opened(address, 1, able).__enter__()
    assert caught.value.where == "--scheduler" and "dask scheduler" in (caught.value.hint or "")
    assert set(distributed.Client._instances) <= clients, "one that reached nobody complains when it is thrown away"


# The last one: nobody waits for the worker that comes instead.
def test_a_worker_that_is_killed_is_no_loss(cluster: Any, tasks: list[Task], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "PATIENCE_S", 1)  # for what only that worker knew
    killed = False
    found = []
    with opened(cluster.scheduler_address, 1, able) as there:
        for _, point in there.run(tasks):
            found.append(point)
            if not killed:
                killed = True
                pids = [worker.process.pid for worker in cluster.workers.values()]
                os.kill(pids[0], signal.SIGKILL)
    assert len(found) == 6 and not any(point.error for point in found)
