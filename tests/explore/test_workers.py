"""Processes and clusters: the same points as in this process, whatever becomes of a worker."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import mcusim.explore.workers as workers_module
import mcusim.system.cluster as cluster_module
from mcusim.explore.evaluate import Task
from mcusim.explore.explore import files_of, task_of
from mcusim.explore.workers import Here, opened
from mcusim.system.errors import ConfigurationError, EngineError, MissingToolError
from mcusim.system.own_code import which
from tests.explore import exploring

distributed = pytest.importorskip("distributed")
FutureCancelledError: Any = distributed.client.FutureCancelledError


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


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (b"", "said nothing for 0.4 s"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "is none of Dask"),
        (bytes(4000), "is none of Dask"),
    ],
)
def test_the_port_of_another_service(says: bytes, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as service:
        taken: list[socket.socket] = []

        def serve() -> None:
            taken.append(service.accept()[0])
            taken[0].sendall(says)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(ConfigurationError, match=told) as caught:
            opened(f"tcp://127.0.0.1:{service.getsockname()[1]}", 1, able).__enter__()
        assert caught.value.where == "--scheduler" and caught.value.hint
        thread.join()
        taken[0].close()


def test_a_worker_is_no_scheduler(cluster: Any) -> None:
    [address, *_] = cluster.scheduler_info["workers"]
    with pytest.raises(ConfigurationError, match="it is a Worker, not a scheduler"):
        opened(address, 1, able).__enter__()


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


def slowly(number: int) -> tuple[int, int]:
    time.sleep(0.3)
    return number, os.getpid()


@pytest.mark.filterwarnings("error")
def test_work_goes_on_when_the_last_worker_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes in its place has another address."""
    monkeypatch.setattr(cluster_module, "LOOK_S", 0.1)
    found: dict[int, int] = {}
    with cluster_module.cluster(None, 1, able) as there:
        for number, result in there.each(slowly, {f"slow-{number}": number for number in range(3)}):
            assert result is not None and result[0] == number
            if not found:
                os.kill(result[1], signal.SIGKILL)
            found[number] = result[1]
    assert sorted(found) == [0, 1, 2] and len(set(found.values())) == 2


class Done:
    """A task that is done as soon as a scheduler has it."""

    def __init__(self, key: str) -> None:
        self.key = key

    def add_done_callback(self, put: Callable[[Any], None]) -> None:
        put(self)

    def result(self, timeout: float) -> str:
        return self.key.upper()


class Few:
    """A client of workers with a thread each, of which nobody is asked. `given`: where tasks may be, by their keys."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.given: dict[str, list[str]] = {}

    def submit(self, _function: object, _task: object, key: str, workers: list[str], **_options: object) -> Done:
        self.given[key] = workers
        return Done(key)

    def cancel(self, _futures: object) -> None:
        """What is left."""

    def nthreads(self) -> dict[str, int]:
        return dict.fromkeys(self.addresses, 1)

    def run(self, _function: object, _check: object, workers: list[str], on_error: str) -> dict[str, Any]:
        machines = {address: "large" if address.startswith("l") else "small" for address in workers}
        count = {"large": 4, "small": 1}
        return {at: cluster_module.State(which(), "", machine, count[machine]) for at, machine in machines.items()}


def test_estimates_have_a_core_each() -> None:
    there = cluster_module.Cluster(Few("l1", "l2", "s1", "s2", "s3"), able)  # type: ignore[arg-type]
    assert there._wanted(computing=False) == ["l1", "l2", "s1", "s2", "s3"]
    assert there._wanted(computing=True) == ["l1", "l2", "s1"]
    [note] = there.spare
    assert note.startswith("2 of 3 workers of small compute nothing")
    there._client.addresses = ("l1", "s3", "s2")  # type: ignore[attr-defined]
    assert there._wanted(computing=True) == ["l1", "s2"]  # who was spare takes the place of one that is lost


def test_each_thread_has_a_task_and_one_in_hand() -> None:
    client = Few("l1", "l2")
    there = cluster_module.Cluster(client, able)  # type: ignore[arg-type]
    given = [(len(client.given), *done) for done in there.each(slowly, {name: ord(name) for name in "abcdefg"})]  # type: ignore[arg-type]
    assert given == [(min(4 + done, 7), ord(name), name.upper()) for done, name in enumerate("abcdefg", start=1)]


def test_who_computes_nothing_is_told_so() -> None:
    client = Few("l1", "s1", "s2", "s3")
    there = cluster_module.Cluster(client, able)  # type: ignore[arg-type]
    there._wanted(computing=False)
    assert client.given == {}
    there._wanted(computing=True)
    assert list(client.given.values()) == [["s2"], ["s3"]]


def awake(dask_worker: Any) -> set[str]:
    return {name for name, callback in dask_worker.periodic_callbacks.items() if callback.is_running()}


def wake(names: set[str], dask_worker: Any) -> None:
    for name in names:
        dask_worker.periodic_callbacks[name].start()


@pytest.mark.parametrize("rest_s", [1000, 0.2])
def test_a_worker_rests_for_a_while(cluster: Any, monkeypatch: pytest.MonkeyPatch, rest_s: float) -> None:
    monkeypatch.setattr(cluster_module, "REST_S", rest_s)
    resting = {"profile", "profile-cycle", "tick"}
    with distributed.Client(cluster) as client:
        there = cluster_module.Cluster(client, able)
        there.states = {address: state._replace(cores=1) for address, state in there.states.items()}
        before = client.run(awake)
        assert [result for _, result in there.each(slowly, {f"rest-{rest_s}": 1}, computing=True)]
        rests = there.able[1]
        there._told[0].result(timeout=30)
        now, until = client.run(awake), time.monotonic() + 30
        if rest_s > 1:
            assert now == {**before, rests: before[rests] - resting} and resting < before[rests]
            client.run(wake, resting, workers=[rests])
        while now != before and time.monotonic() < until:
            time.sleep(0.1)
            now = client.run(awake)
        assert now == before


def test_no_more_processes_compute_than_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    @contextmanager
    def cluster(_scheduler: object, jobs: int, _check: object) -> Iterator[cluster_module.Cluster]:
        started.append(jobs)
        yield cluster_module.Cluster(Few("l1", "l2"), able)  # type: ignore[arg-type]

    monkeypatch.setattr(workers_module, "cluster", cluster)
    monkeypatch.setattr(workers_module, "cores", lambda: 2)
    with opened(None, 4, able, computing=True) as there:
        assert there.notes == ("2 of 4 processes were started: this machine has not more cores",)
    for scheduler, computing in ((None, False), ("tcp://there:1", True)):
        with opened(scheduler, 4, able, computing) as there:
            assert there.notes == ()
    assert started == [2, 4, 4]


def test_nobody_is_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "RETURN_S", 0.1)
    monkeypatch.setattr(cluster_module, "LOOK_S", 0.1)
    there = cluster_module.Cluster(Few("l1"), able)  # type: ignore[arg-type]
    there._client.addresses = ()  # type: ignore[attr-defined]
    with pytest.raises(EngineError, match="all workers are lost"):
        list(there.each(slowly, {"one": 1}))


class Cancelled(Done):
    """Its result is known to a scheduler that is gone."""

    def result(self, timeout: float) -> str:
        raise FutureCancelledError(self.key, "scheduler-connection-lost")


class Alone(Few):
    def submit(self, _function: object, _task: object, key: str, workers: list[str], **_options: object) -> Done:
        return Cancelled(key)


def test_a_scheduler_that_dies_is_an_error() -> None:
    there = cluster_module.Cluster(Alone("l1"), able)  # type: ignore[arg-type]
    with pytest.raises(EngineError, match="does not answer any more: one cancelled") as caught:
        list(there.each(slowly, {"one": 1}))
    assert "start it again" in (caught.value.hint or "")
