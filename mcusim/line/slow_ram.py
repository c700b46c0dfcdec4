"""Kernels of all layers + RAM -> cycles that each waits for slow RAM, about: loads are a part of its cycles."""

from collections.abc import Mapping

from mcusim.graph import Graph
from mcusim.kernels.choice import Option
from mcusim.kernels.kernel import LOADS_USUAL
from mcusim.kernels.memory import Memory
from mcusim.line import arena
from mcusim.program import Place


def slow_ram_cycles(graph: Graph, chosen: Mapping[str, Option], memory: Memory) -> dict[str, float]:
    """By layer, nothing for those that do not wait. A layer works in its scratch memory, or where its inputs lie.

    The model's input lies behind the arena.
    """
    fast = memory.fast_ram_bytes
    if fast is None:
        return {}
    plan = arena.plan(graph, {name: option.scratch_bytes for name, option in chosen.items()}, fast)
    ends = {"arena": 0, "input": plan.arena_bytes, "output": plan.arena_bytes}
    found = {}
    for name, option in chosen.items():
        if name in plan.scratch:
            places = [(plan.scratch[name], option.scratch_bytes)]
        else:
            places = [(plan.places[one], graph[one].output_bytes) for one in graph[name].inputs if one in plan.places]
        share = _share(places, ends, fast)
        if share:
            loads = getattr(option.kernel, "LOADS", LOADS_USUAL) * option.cycles
            found[name] = share * loads * memory.ram_waits
    return found


def _share(places: list[tuple[Place, int]], ends: Mapping[str, int], fast_bytes: int) -> float:
    """Of bytes of buffers those in slow RAM."""
    size = sum(size for _, size in places)
    slow = sum(
        bytes_ * arena.beyond(ends[place.region] + place.offset_bytes, bytes_, fast_bytes) for place, bytes_ in places
    )
    return slow / size if size else 0.0
