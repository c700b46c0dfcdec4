"""Tasks -> results, by the workers of a Dask cluster: processes of this machine, or of others."""

from __future__ import annotations

import asyncio
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from mcusim.system.cores import cores
from mcusim.system.errors import ConfigurationError, EngineError, McusimError, MissingToolError
from mcusim.system.names import words_of
from mcusim.system.own_code import which
from mcusim.system.version import VERSION

if TYPE_CHECKING:
    from distributed import Client

PATIENCE_S = 10  # for a scheduler to answer, and for a worker that may be lost
CONNECT = "distributed.comm.timeouts.connect"
LOOK_S = 0.5  # so often it is looked whether workers are there that have something to do
RETURN_S = 60  # until one comes in the place of another, on a busy machine
RETRIES = 2  # of a task whose worker was lost
REST_S = 600  # of a worker that has nothing to compute
RESTING = ("profile", "profile-cycle", "tick")  # what a worker does to see how busy it is, 150 times a second
# Of this machine. Nobody looks at Dask's own profiles and ticks: as it is set up, an idle worker takes 2.6 % of a core
# and its scheduler 4 %; so 0.3 and 0.7 %.
OF_PROCESSES = {
    "distributed.worker.daemon": False,
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.monitor-interval": "500ms",
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "10s",
}
INSTALL = "pip install 'mcusim[explore]'"
Task = TypeVar("Task")
Result = TypeVar("Result")


class State(NamedTuple):
    """What a worker tells of itself. `lacks`: what it takes, and is not there; nothing of one that is able."""

    mcusim: str
    lacks: str
    machine: str
    cores: int


class Cluster:
    """`able`: addresses of workers that have what it takes. `notes`: what the others lack. `states`: of all workers
    that were seen so far, by their addresses.
    """

    def __init__(self, client: Client, check: Callable[[], None]) -> None:
        self._client, self._check = client, check
        self.states: dict[str, State] = {}
        self._told = list[Any]()
        self.able = self._looked()
        lacking = sorted((address, state.lacks) for address, state in self.states.items() if state.lacks)
        self.notes = tuple(f"worker {address} is left out: {what}" for address, what in lacking)

    def each(
        self, function: Callable[[Task], Result], tasks: Mapping[str, Task], computing: bool = False
    ) -> Iterator[tuple[Task, Result | None]]:
        """As they are done; None of one whose worker was lost again and again. Tasks are called by their keys.

        `computing`: on no more workers of a machine than it has cores. Raises EngineError where none is left.
        """
        left = dict(tasks)
        for _ in range(1 + RETRIES):
            if left:  # at first, and when all workers were lost that had been there
                for key, result in self._round(function, left, self._wanted(computing)):
                    yield left.pop(key), result
        for task in left.values():
            yield task, None

    def _round(
        self, function: Callable[[Task], Result], tasks: Mapping[str, Task], workers: Sequence[str]
    ) -> Iterator[tuple[str, Result | None]]:
        """Until all are done, or all these workers are lost: whoever comes in their place has another address.

        Each thread has a task and one in hand. Of all at once some worker would have too many at the end: Dask moves
        these to others, but only each second.
        """
        from distributed import TimeoutError as Late
        from distributed.client import FutureCancelledError
        from distributed.scheduler import KilledWorker

        done, waiting, given = SimpleQueue[Any](), iter(tuple(tasks.items())), set[Any]()

        def give(count: int) -> None:
            for key, task in islice(waiting, count):
                future = self._client.submit(
                    function, task, key=key, workers=workers, allow_other_workers=False, retries=RETRIES
                )
                given.add(future)
                future.add_done_callback(done.put)

        threads = self._alive()
        try:
            give(2 * max(1, sum(threads.get(address, 1) for address in workers)))
            while given:
                future: Any = None
                result = None
                try:
                    future = done.get(timeout=LOOK_S)
                    result = future.result(timeout=PATIENCE_S)
                except KilledWorker:
                    pass
                except FutureCancelledError as error:  # not by us
                    raise _gone(error) from None
                except (Empty, Late):
                    if not self._alive().keys() & set(workers):
                        return
                    if future is not None:  # its result was lost with the worker, and is made again
                        future.add_done_callback(done.put)
                    continue
                given.discard(future)
                give(1)
                yield future.key, result
        finally:
            self._client.cancel(list(given))

    def _alive(self) -> dict[str, int]:
        """Threads of the workers that are there. Raises EngineError for a scheduler that does not answer any more."""
        try:
            return dict(self._client.nthreads())
        except (OSError, ValueError) as error:
            raise _gone(error) from None

    def _looked(self) -> list[str]:
        """Those that are able, of those that are there; who is new is asked."""
        alive = self._alive()
        if new := [address for address in alive if address not in self.states]:
            told = self._client.run(_state, self._check, workers=new, on_error="return")
            self.states |= {address: _told(state) for address, state in told.items()}
        return sorted(address for address in alive if self._is_able(address))

    def _is_able(self, address: str) -> bool:
        state = self.states.get(address)
        return state is not None and state.mcusim == which() and not state.lacks

    def _wanted(self, computing: bool) -> list[str]:
        """Raises EngineError where nobody is left, and nobody comes."""
        until = time.monotonic() + RETURN_S
        while not (found := self._looked()):
            if time.monotonic() > until:
                raise EngineError("all workers are lost", hint="start others, and this command again: it goes on")
            time.sleep(LOOK_S)
        self.able = found
        if not computing:
            return found
        machines = self._by_machine().values()
        self._rest([address for _, others in machines for address in others])
        return [address for chosen, _ in machines for address in chosen]

    def _rest(self, spare: Sequence[str]) -> None:
        """They are told, and nobody waits for them: one may hang."""
        self._told = [
            self._client.submit(_rest, REST_S, key=f"mcusim-rest-{address}-{time.monotonic()}", workers=[address])
            for address in spare
        ]

    def _by_machine(self) -> dict[str, tuple[list[str], list[str]]]:
        """Workers whose threads have a core each, and all others."""
        threads, free = self._alive(), dict[str, int]()
        found: dict[str, tuple[list[str], list[str]]] = {}
        for address in self.able:
            state = self.states[address]
            left = free.setdefault(state.machine, max(1, state.cores))
            found.setdefault(state.machine, ([], []))[left <= 0].append(address)
            free[state.machine] = left - threads.get(address, 1)
        return found

    @property
    def spare(self) -> tuple[str, ...]:
        """Notes of workers that `computing` leaves out."""
        return tuple(
            f"{len(others)} of {len(chosen) + len(others)} workers of {machine} compute nothing: it has not more cores"
            for machine, (chosen, others) in self._by_machine().items()
            if others
        )


def _gone(error: BaseException) -> EngineError:
    what = f"the scheduler does not answer any more: {words_of(error)}"
    return EngineError(what, hint="start it again, and this command: what was done is kept")


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

    for name in ("", ".client", ".worker", ".nanny", ".scheduler"):
        logging.getLogger(f"distributed{name}").setLevel(logging.CRITICAL)
    if scheduler is None:
        with (
            dask.config.set({**OF_PROCESSES, CONNECT: f"{PATIENCE_S}s"}),
            LocalCluster(
                n_workers=jobs,
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",  # None is port 8787, and a warning where that is taken
                scheduler_kwargs={"dashboard": False},
                silence_logs=50,
            ) as cluster,
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
    """Raises what is in the way. A Client that reaches nobody cannot be closed, and complains long after.

    Dask waits for ever for the greeting of who takes a connection and says nothing, as another service does.
    """
    try:
        role = await asyncio.wait_for(_role(scheduler), 2 * PATIENCE_S)
    except asyncio.TimeoutError:
        raise ValueError(f"whoever listens there said nothing for {2 * PATIENCE_S} s, as no scheduler does") from None
    except (OSError, ValueError, TypeError):
        raise
    except Exception as error:  # of what takes the words of another service for arrays or msgpack
        raise ValueError(f"whoever listens there is none of Dask ({type(error).__name__})") from None
    if role != "Scheduler":
        raise ValueError(f"it is a {role}, not a scheduler")


async def _role(address: str) -> str:
    """What somebody of Dask says that it is."""
    from distributed.core import connect, send_recv
    from distributed.security import Security

    secrets = Security().get_connection_args("client")
    connection = await connect(address, timeout=PATIENCE_S, **secrets)
    try:
        return str((await send_recv(connection, op="identity"))["type"])
    finally:
        connection.abort()


def _checked(client: Client, check: Callable[[], None], scheduler: str | None) -> Cluster:
    """Of workers that run this mcusim and have what it takes. Raises ConfigurationError where there are none."""
    found = Cluster(client, check)
    others = {state.mcusim for state in found.states.values() if state.mcusim != which()}
    if others:
        what = f"workers have another mcusim: {', '.join(sorted(others))}; here it is {which()}"
        raise ConfigurationError(
            what, where=scheduler, hint=f"install the same there, such as pip install mcusim=={VERSION}"
        )
    if not found.able:
        what = f"of {len(found.states)} workers none is able" if found.states else "there is no worker"
        lacking = {state.lacks for state in found.states.values()}
        hint = "; ".join(sorted(lacking)) or "start one: dask worker"
        raise ConfigurationError(what, where=scheduler, hint=hint)
    return found


def _told(state: object) -> State:
    """Of a worker, or of one that could not tell it."""
    if isinstance(state, tuple) and len(state) == len(State._fields):
        return State(*state)
    if isinstance(state, tuple):  # as another mcusim tells it
        return State(str(state[0]), "", "", 1)
    assert isinstance(state, BaseException)
    is_other = isinstance(state, ImportError)
    return State("none" if is_other else which(), f"{type(state).__name__}: {words_of(state)}", "", 1)


def _rest(rest_s: float) -> None:
    """Of a worker that has no core to compute on: what it does of its own takes those that have one 2 % of a core.

    Only for a while, as who told it may be killed.
    """
    from distributed import get_worker

    worker = get_worker()

    def rest() -> None:
        for callback in filter(None, map(worker.periodic_callbacks.get, RESTING)):
            if callback.is_running():
                callback.stop()
                worker.loop.call_later(rest_s, callback.start)

    worker.loop.add_callback(rest)


def _state(check: Callable[[], None]) -> State:
    """Of a worker."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    lacks = ""
    try:
        check()
    except McusimError as error:
        lacks = f"{error.what} ({error.hint})" if error.hint else error.what
    return State(which(), lacks, platform.node(), cores())
