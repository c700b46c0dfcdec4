"""Tasks -> results, by the workers of a Dask cluster: processes of this machine, or of others."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar

from mcusim.system.errors import ConfigurationError, McusimError, MissingToolError
from mcusim.system.own_code import which
from mcusim.system.version import VERSION

if TYPE_CHECKING:
    from distributed import Client

PATIENCE_S = 10  # for a scheduler to answer, and for a worker that may be lost
CONNECT = "distributed.comm.timeouts.connect"
RETRIES = 2  # of a task whose worker was lost
INSTALL = "pip install 'mcusim[explore]'"
Task = TypeVar("Task")
Result = TypeVar("Result")


class Cluster:
    """`able`: addresses of workers that have what it takes. `notes`: what the others lack."""

    def __init__(self, client: Client, able: Sequence[str], notes: tuple[str, ...]) -> None:
        self._client, self.able, self.notes = client, able, notes

    def each(
        self, function: Callable[[Task], Result], tasks: Mapping[str, Task]
    ) -> Iterator[tuple[Task, Result | None]]:
        """As they are done; None of one whose worker was lost again and again. Tasks are called by their keys."""
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        own = {
            self._client.submit(
                function, task, key=key, workers=self.able, allow_other_workers=False, retries=RETRIES
            ): task
            for key, task in tasks.items()
        }
        try:
            for future in as_completed(own):
                try:
                    yield own[future], future.result()
                except KilledWorker:
                    yield own[future], None
        finally:
            self._client.cancel(list(own))


@contextmanager
def cluster(scheduler: str | None, jobs: int, check: Callable[[], None]) -> Iterator[Cluster]:
    """That of a scheduler, or of `jobs` processes. `check` raises what a machine lacks to do anything.

    Raises MissingToolError without Dask; ConfigurationError where no scheduler answers, or no worker is able.
    """
    if not find_spec("distributed"):
        raise MissingToolError("--scheduler needs Dask, which is not installed", hint=INSTALL)
    with _client(scheduler, jobs) as client:
        yield _checked(client, check, scheduler)


@contextmanager
def _client(scheduler: str | None, jobs: int) -> Iterator[Client]:
    import logging

    import dask
    from distributed import Client, LocalCluster

    for name in ("distributed", "distributed.worker", "distributed.nanny", "distributed.scheduler"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if scheduler is None:
        with (
            dask.config.set({"distributed.worker.daemon": False, CONNECT: f"{PATIENCE_S}s"}),
            LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        asyncio.run(_answers(scheduler))
    except (OSError, ValueError, TypeError) as error:
        what = f"no scheduler answers at {scheduler!r}: {' '.join(str(error).split())[:200]}"
        hint = "start one: dask scheduler; its address looks like tcp://host:8786"
        raise ConfigurationError(what, where="--scheduler", hint=hint) from None
    with dask.config.set({CONNECT: f"{PATIENCE_S}s"}), Client(scheduler, timeout=PATIENCE_S) as client:
        yield client


async def _answers(scheduler: str) -> None:
    """Raises what is in the way. A Client that reaches nobody cannot be closed, and complains long after."""
    from distributed.core import connect
    from distributed.security import Security

    secrets = Security().get_connection_args("client")
    await (await connect(scheduler, timeout=PATIENCE_S, **secrets)).close()


def _checked(client: Client, check: Callable[[], None], scheduler: str | None) -> Cluster:
    """Of workers that run this mcusim and have what it takes. Raises ConfigurationError where there are none."""
    told = client.run(_state, check, on_error="return")
    states = {address: state if isinstance(state, tuple) else _unable(state) for address, state in told.items()}
    others = {version for version, _ in states.values() if version != which()}
    if others:
        what = f"workers have another mcusim: {', '.join(sorted(others))}; here it is {which()}"
        raise ConfigurationError(
            what, where=scheduler, hint=f"install the same there, such as pip install mcusim=={VERSION}"
        )
    lacking = {address: lack for address, (_, lack) in states.items() if lack}
    able = [address for address in told if address not in lacking]
    notes = tuple(f"worker {address} is left out: {what}" for address, what in sorted(lacking.items()))
    if not able:
        what = f"of {len(told)} workers none is able" if told else "there is no worker"
        raise ConfigurationError(
            what, where=scheduler, hint="; ".join(sorted(set(lacking.values()))) or "start one: dask worker"
        )
    return Cluster(client, able, notes)


def _unable(error: Exception) -> tuple[str, str]:
    """The state of a worker that could not tell it."""
    told = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return ("none", "") if isinstance(error, ImportError) else (which(), told)


def _state(check: Callable[[], None]) -> tuple[str, str]:
    """Of a worker: its mcusim, and what it lacks."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    try:
        check()
    except McusimError as error:
        return which(), f"{error.what} ({error.hint})" if error.hint else error.what
    return which(), ""
