"""quantized Graph -> its program by plain C, by what is chosen for some memory, by any kernels or one alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mcusim.graph import Graph
from mcusim.kernels import KERNELS, plain
from mcusim.kernels.choice import Destination, Limit, opt_in, why_not
from mcusim.kernels.kernel import DEFAULT, Kernel
from mcusim.kernels.memory import USUAL
from mcusim.line.lower import Chosen, lower, program_of, running_layers
from mcusim.program import Program

CORE = "cortex-m4"
USUALLY = Destination(CORE, memory=USUAL)


@dataclass(frozen=True)
class Choice:
    """`program` takes the graph, and what it decides by chance."""

    name: str
    program: Callable[[Graph, np.random.Generator], Program]


def _plain(graph: Graph, _random: np.random.Generator) -> Program:
    return lower(graph)


def _chosen(graph: Graph, _random: np.random.Generator) -> Program:
    return lower(graph, USUALLY)


def _little_ram(graph: Graph, random: np.random.Generator) -> Program:
    """Down to less than there can be: then what comes nearest is taken."""
    most = lower(graph, USUALLY).arena_bytes
    return lower(graph, replace(USUALLY, ram=Limit(int(most * random.uniform(0.1, 1.1)))))


def _little_flash(graph: Graph, random: np.random.Generator) -> Program:
    return lower(graph, replace(USUALLY, flash=Limit(int(2 ** random.uniform(9, 16)))))


def _slow_ram(graph: Graph, random: np.random.Generator) -> Program:
    fast = int(random.integers(0, 4096)) // 4 * 4
    return lower(graph, replace(USUALLY, memory=replace(USUAL, fast_ram_bytes=fast, ram_waits=1)))


def _code_in_ram(graph: Graph, random: np.random.Generator) -> Program:
    return lower(graph, replace(USUALLY, code_ram=int(random.choice([512, 4096, 2**15])), always=True))


def forced(kernels: Sequence[Kernel], graph: Graph, random: np.random.Generator) -> Program:
    """Each layer by one of those that fit it, in any of its variants; by plain C, where none does."""
    chosen: dict[str, Chosen] = {}
    for layer in running_layers(graph):
        inputs = graph.inputs_of(layer)
        chosen[layer.name] = plain, DEFAULT
        if fitting := [kernel for kernel in kernels if why_not(kernel, layer, inputs, CORE) is None]:
            kernel = fitting[int(random.integers(len(fitting)))]
            offered = getattr(kernel, "variants", None)
            variants = offered(layer, inputs) if offered else (DEFAULT,)
            chosen[layer.name] = kernel, variants[int(random.integers(len(variants)))]
    return program_of(graph, chosen)


# Kernels with other bits are held to a bound of their own: tests/kernels/test_points.py.
KERNELS_OF_SAME_BITS = tuple(kernel for kernel in KERNELS if kernel is not plain and not opt_in(kernel))
FORCED = (
    *(Choice("any kernels", partial(forced, KERNELS_OF_SAME_BITS)),) * 6,
    *(Choice(kernel.NAME, partial(forced, (kernel,))) for kernel in KERNELS_OF_SAME_BITS),
)
CHOICES = (
    Choice("plain", _plain),
    *(Choice("chosen", _chosen),) * 3,
    *(Choice("little RAM", _little_ram),) * 3,
    *(Choice("little flash", _little_flash),) * 2,
    *(Choice("slow RAM", _slow_ram), Choice("code in RAM", _code_in_ram)),
    *FORCED,
)


def is_in(program: Program, prefix: str, choice: Choice) -> bool:
    """Does the choice decide anything about the layers whose names begin so? A kernel may fit none of them."""
    if choice.name not in {kernel.NAME for kernel in KERNELS_OF_SAME_BITS}:
        return True
    return any(step.name.startswith(prefix) and step.kernel == choice.name for step in program.steps)
