"""An exploration's tasks as they are measured, on workers that are not there -> their efficiency, in virtual time.

    OMP_NUM_THREADS=1 python -m tools.explore_scaling experiment.toml --points 20 --evaluations 1000

Measured, all as seconds of the processor, so that a busy machine does not matter: some points of the experiment, each
evaluated as a worker does it; tasks that do nothing on a Dask scheduler with a worker of threads; and an evolutionary
search whose points are made up. One scheduler sends task after task; a generation waits for its last one.
"""

from __future__ import annotations

import argparse
import heapq
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from mcusim.experiment.experiment import Experiment
from mcusim.experiment.read import read_experiment
from mcusim.explore.axes import Genes, Space, space_of
from mcusim.explore.evaluate import Task, evaluate
from mcusim.explore.explore import files_of, task_of
from mcusim.explore.front import Limits
from mcusim.explore.point import Point
from mcusim.explore.searches import evolution
from mcusim.explore.searches.search import Wanted
from mcusim.system.cluster import Cluster
from mcusim.system.errors import ConfigurationError
from mcusim.system.toml_file import read_toml
from tools.command import end

WORKERS = (1, 2, 4, 8, 16, 32, 64)
POPULATIONS = (16, 64, 256)
NULL_TASKS = 1000


@dataclass(frozen=True)
class Costs:
    """Of the processor. `start_s`: what the first task of a worker costs more; `scheduler_s`: of each task."""

    tasks_s: tuple[float, ...]
    start_s: float
    scheduler_s: float


@dataclass(frozen=True)
class Simulated:
    """`wall_s`, and which shares of it all workers compute, start, or wait for scheduler and search."""

    wall_s: float
    computing: float
    starting: float
    serial: float

    @property
    def barrier(self) -> float:
        """The rest: for the last task of a generation."""
        return max(0.0, 1 - self.computing - self.starting - self.serial)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    experiment = read_experiment(options.experiment)
    space = space_of(experiment, read_toml(options.experiment)[0])
    costs = measured(experiment, space, options.points)
    print(
        f"measured: a task {np.mean(costs.tasks_s):.3g} s ({min(costs.tasks_s):.3g} to {max(costs.tasks_s):.3g}, "
        f"{len(costs.tasks_s)} points), a worker's first {costs.start_s:.3g} s more, "
        f"scheduler {1e3 * costs.scheduler_s:.3g} ms for each"
    )
    random = np.random.default_rng(0)
    tasks_s = [float(cost) for cost in random.choice(costs.tasks_s, options.evaluations)]
    for population in POPULATIONS:
        search = search_s(experiment, space, population, options.evaluations)
        print(f"measured: search {1e3 * search:.3g} ms for each point, population {population}")
        alone = simulated(tasks_s, 1, population, costs, search)
        for workers in WORKERS:
            print(told(population, workers, alone, simulated(tasks_s, workers, population, costs, search)))
    return 0


def told(population: int, workers: int, alone: Simulated, found: Simulated) -> str:
    speed = alone.wall_s / found.wall_s
    shares = ("computing", found.computing), ("start", found.starting), ("serial", found.serial)
    lost = ", ".join(f"{name} {100 * share:.1f} %" for name, share in (*shares, ("barrier", found.barrier)))
    return (
        f"population {population:>3}, {workers:>2} workers: {found.wall_s:>8.1f} s, {speed:>5.1f} times as fast, "
        f"efficiency {100 * speed / workers:>5.1f} % ({lost})"
    )


def simulated(tasks_s: Sequence[float], workers: int, population: int, costs: Costs, search_s: float) -> Simulated:
    """In virtual time: each task goes to the worker that is free first, as soon as the scheduler comes to it."""
    now = serial = 0.0
    begun: set[int] = set()
    for first in range(0, len(tasks_s), population):
        generation = tasks_s[first : first + population]
        sent = now + search_s * len(generation)
        serial += sent + costs.scheduler_s - now
        free = [(sent, worker) for worker in range(workers)]
        ends = []
        for cost in generation:
            sent += costs.scheduler_s
            idle, worker = heapq.heappop(free)
            done = max(sent, idle) + cost + (0.0 if worker in begun else costs.start_s)
            begun.add(worker)
            ends.append(done)
            heapq.heappush(free, (done, worker))
        now = max(ends)
    whole = workers * now
    return Simulated(now, sum(tasks_s) / whole, len(begun) * costs.start_s / whole, serial / now)


def measured(experiment: Experiment, space: Space, points: int) -> Costs:
    """Raises ConfigurationError where the base cannot be."""
    genes = _chosen(space, points)
    with tempfile.TemporaryDirectory(prefix="mcusim-scaling-") as folder:
        files = files_of(experiment)
        spent = []
        for one in genes:
            began = time.process_time()
            task = task_of(experiment, space, Path(folder), one, "estimate", files)
            point = evaluate(task)
            spent.append(time.process_time() - began)
            if one == space.base and point.error:
                raise ConfigurationError(f"the base cannot be: {point.error.message}", hint=point.error.hint)
    start, *others = spent
    return Costs(tuple(others), max(0.0, start - others[0]), scheduler_s(task))


def _chosen(space: Space, points: int) -> list[Genes]:
    """The base twice, which tells what is done once, and others by chance."""
    random, sizes = np.random.default_rng(0), [len(axis.values) for axis in space.axes]
    return [space.base] * 2 + [tuple(int(gene) for gene in random.integers(sizes)) for _ in range(points - 1)]


def scheduler_s(task: Task) -> float:
    """Of client, scheduler and a worker that does nothing with `task`, together: rather too much."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=1, threads_per_worker=4, processes=False, protocol="tcp", dashboard_address=None
        ) as local,
        Client(local) as client,
    ):
        cluster = Cluster(client, nothing)
        began = time.process_time()
        done = list(cluster.each(nothing, {f"null-{number}": task for number in range(NULL_TASKS)}))
        return (time.process_time() - began) / len(done)


def nothing(*_: Task) -> None:
    """What a task costs that costs nothing."""


def search_s(experiment: Experiment, space: Space, population: int, evaluations: int) -> float:
    """For each point that it asks for."""
    objectives = experiment.explore.objectives
    random, asked = np.random.default_rng(0), 0
    if lacking := evolution.missing():
        raise lacking
    import_module("optuna")
    wanted = Wanted(space, objectives, Limits({}), population, 0, evaluations)
    began = time.process_time()
    asking = evolution.ask(wanted)
    batch = next(asking, None)
    while batch is not None:
        asked += len(batch)
        figures = [dict(zip(objectives, random.random(len(objectives)), strict=True)) for _ in batch]
        points = [Point(genes, {}, figures=each) for genes, each in zip(batch, figures, strict=True)]
        try:
            batch = asking.send(points)
        except StopIteration:
            batch = None
    return (time.process_time() - began) / asked


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.explore_scaling", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--points", type=int, default=20, help="to measure")
    parser.add_argument("--evaluations", type=int, default=1000, help="to simulate")
    return parser


if __name__ == "__main__":
    end(main)
