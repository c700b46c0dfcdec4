"""Where points are evaluated: in this process, in processes of this machine, or on machines of a Dask cluster."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Protocol

from mcusim.explore.evaluate import Task, evaluate
from mcusim.explore.point import Point
from mcusim.reports.report import RunError
from mcusim.system.cluster import Cluster, cluster
from mcusim.system.cores import cores
from mcusim.system.errors import EngineError


class Workers(Protocol):
    notes: tuple[str, ...]

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Point]]:
        """In whatever order they are done."""


class Here:
    """One after the other, in this process."""

    notes: tuple[str, ...] = ()

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Point]]:
        for task in tasks:
            yield task, evaluate(task)


class There:
    """On a Dask cluster. `notes`: of ours, what some of its workers lack, and who has no core.

    Estimates only compute: two on a core push each other's arrays out of its caches, and take longer than one after
    the other. A firmware may wait for a board.
    """

    def __init__(self, cluster: Cluster, notes: Sequence[str] = ()) -> None:
        self._cluster, self.notes = cluster, (*notes, *cluster.notes, *cluster.spare)

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Point]]:
        called, computing = {f"mcusim-{task.key}": task for task in tasks}, {task.fidelity for task in tasks}
        for task, point in self._cluster.each(evaluate, called, computing == {"estimate"}):
            yield task, point or _lost(task)


def _lost(task: Task) -> Point:
    error = EngineError("its worker was lost, again and again", hint="give workers more memory, or run fewer: --jobs 1")
    return Point(task.genes, task.chosen, task.fidelity, error=RunError.of(error))


@contextmanager
def opened(scheduler: str | None, jobs: int, check: Callable[[], None], computing: bool = False) -> Iterator[Workers]:
    """`check` raises what a machine lacks to evaluate anything. `computing`: nothing but estimates, so that of this
    machine there is a process for each core, and none beyond. Raises as `cluster`.
    """
    processes = min(jobs, cores()) if computing and scheduler is None else jobs
    if scheduler is None and (processes == 1 or not find_spec("distributed")):
        check()
        yield Here()
        return
    notes = [f"{processes} of {jobs} processes were started: this machine has not more cores"]
    with cluster(scheduler, processes, check) as found:
        yield There(found, notes if processes < jobs else ())
