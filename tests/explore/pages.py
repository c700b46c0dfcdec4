"""Explorations for tests of pages, without any evaluation."""

from __future__ import annotations

import itertools

from mcusim.explore.exploration import Exploration, Tested
from mcusim.explore.front import front_of
from mcusim.explore.point import Point
from mcusim.reports.report import RunError

OBJECTIVES = ("accuracy", "latency_ms", "rom_bytes")
CHANGES = {"x": (0, 2.0, 5.0), "y": (0, -1.0), "z": (0, 0.5, 1.0, 4.0)}  # of latency, by axis and value


def explored(name: str = "tiny", objectives: tuple[str, ...] = OBJECTIVES[:2]) -> Exploration:
    """A grid whose latencies are sums of CHANGES. `name`: of all that has one."""
    axes = {f"{axis} {name}": tuple(f"{name} {at}" for at in range(len(CHANGES[axis]))) for axis in CHANGES}
    points = [_point(genes, axes) for genes in itertools.product(*(range(len(values)) for values in axes.values()))]
    failed = Point((2, 1, 3), points[-1].chosen, error=RunError("BuildError", name, name, name))
    front = tuple(front_of(points[:-1], objectives))
    tested = tuple(Tested(point, name, 1, 2, 0.5) for point in (points[0], *front))
    return Exploration(
        experiment=name,
        mcusim="0",
        started="2026-01-01",
        search="grid",
        objectives=objectives,
        axes=axes,
        limits={},
        seed=0,
        samples=10,
        base=points[0],
        points=(*points[:-1], failed),
        front=front,
        tested=tested,
        notes=(name,),
        evaluations=len(points),
        complete=True,
    )


def _point(genes: tuple[int, ...], axes: dict[str, tuple[str, ...]]) -> Point:
    latency = 20 + sum(CHANGES[axis][gene] for axis, gene in zip("xyz", genes, strict=True))
    figures = {
        "accuracy": 0.9 - 0.01 * (25 - latency) - 0.002 * genes[0] * genes[1],
        "latency_ms": latency,
        "rom_bytes": 9000.0 - 100 * sum(genes),
        "ram_bytes": 5000.0,
    }
    chosen = {name: values[gene] for (name, values), gene in zip(axes.items(), genes, strict=True)}
    return Point(genes, chosen, figures=figures)
