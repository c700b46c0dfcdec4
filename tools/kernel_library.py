"""A folder with a kernel library + Graph -> what the same network takes on its functions, at the same prices.

Nothing is known here of any library. An Adapter says which files of the folder are its C, and what C calls it for a
layer; `tools/cmsis_nn.py` is one. The rest of the program is generated: one function for each layer, an arena for
tensors and scratch memory planned as ours is, the harness. Compiler and flags are those of our own C, but -O3.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mcusim.boards.board import Board
from mcusim.cores import core_of
from mcusim.engines.engine import Job, numbers, records
from mcusim.engines.qemu import engine as qemu
from mcusim.graph import Graph, Layer
from mcusim.line import arena
from mcusim.line.build import Firmware, Target, build
from mcusim.line.c_text import c_names, number_lines
from mcusim.line.sources import Sources
from mcusim.program import Place
from mcusim.system.arrays import Array
from mcusim.system.command import run
from mcusim.system.errors import BuildError, ConfigurationError, EngineError
from mcusim.system.toolchain import Toolchain, find_arm_tool
from mcusim.workloads.generated import emit_firmware
from tools.kernel_runs import LayerRun, Run, price, run_of
from tools.networks import Network


@dataclass(frozen=True)
class Call:
    """C that runs a layer. `constants`: definitions in front of its function. `body`: statements that read `input0`,
    `input1`.. and write `output`; they may use `scratch`, of as many bytes as the C expression of that name says.
    """

    constants: str
    body: str
    scratch: str = "0"


class Adapter(Protocol):
    """What is to be known of a library. `sources` and `includes` are below its folder, `headers` in an include.

    Activations lie channels last. They are int8_t, int16_t or float; those of 8 bits without a sign are given less 128,
    as int8_t. Numbers of layers, `Format`, say what they stand for: q * 2**-fraction.
    """

    name: str
    sources: Sequence[str]  # patterns, for example "Source/**/*.c"
    without: Sequence[str]  # patterns of file names among them, that are not for this core
    includes: Sequence[str]
    headers: Sequence[str]

    def version(self, folder: Path) -> str:
        """As a reader of the table should know it."""

    def graph(self, network: Network, data_type: str) -> Graph | None:
        """What it can run of a network, nearest to our own; None where it has no such numbers."""

    def call(self, layer: Layer, graph: Graph, name: str) -> Call:
        """`name`: to begin the names of constants with. Raises ConfigurationError for a layer that it does not have."""


def load_adapter(path: Path) -> Adapter:
    """An instance of the class `Adapter` of a Python file, which is executed."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ConfigurationError(f"{path.name!r} is no Python file", where=str(path), hint="--adapter FILE.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = getattr(module, "Adapter", None)
    if made is None:
        hint = "tools/kernel_library.py tells what has to be in it"
        raise ConfigurationError(f"{path.name!r} has no class Adapter", where=str(path), hint=hint)
    return made()  # type: ignore[no-any-return]


def is_in(adapter: Adapter, folder: Path) -> bool:
    """Are all its headers there?"""
    return all(any((folder / include / name).is_file() for include in adapter.includes) for name in adapter.headers)


class Library:
    """A library that was compiled for one core. `work`: for what is built."""

    def __init__(self, adapter: Adapter, folder: Path, board: Board, work: Path) -> None:
        self.adapter, self.folder, self.work = adapter, folder.absolute(), work
        self.title = f"{adapter.name} {adapter.version(folder)}".rstrip()
        own = core_of(board.chip).toolchain()
        flags = tuple("-O3" if flag == "-O2" else flag for flag in own.flags if not flag.startswith("-W"))
        includes = tuple(f"-I{self.folder / name}" for name in adapter.includes)
        self.toolchain = replace(own, flags=(*flags, "-w", *includes))
        archive = _archive(self.toolchain, sorted(self._sources()), work)
        whole = ("-Wl,--whole-archive", str(archive), "-Wl,--no-whole-archive")
        self.toolchain = replace(self.toolchain, link_flags=(*self.toolchain.link_flags, *whole))

    def _sources(self) -> Iterator[Path]:
        for pattern in self.adapter.sources:
            found = list(self.folder.glob(pattern))
            if not found:
                what = f"there is no {pattern} of {self.adapter.name}"
                raise ConfigurationError(what, where=str(self.folder), hint="name the folder that it was unpacked in")
            yield from (path for path in found if not any(map(path.match, self.adapter.without)))

    def run(self, graph: Graph, x: Array, board: Board) -> tuple[Run, float]:
        """And the largest difference of an answer from `Graph.run`, in units of its last bit."""
        driver = Driver(graph, {layer.name: self.adapter.call(layer, graph, name) for layer, name in _running(graph)})
        headers = self.adapter.headers
        scratch = self._scratch_bytes(driver, board)
        firmware = self._built(driver.sources(headers, scratch), board)
        seen, timing = price(firmware, _shifted(graph.encode(x)), board, self.work)
        layers = tuple(
            LayerRun(layer.name, self.adapter.name, layer.macs, timing.function_cycles.get(f"layer_{name}"))
            for layer, name in _running(graph)
        )
        made = run_of(graph, firmware, seen, timing, board, layers)
        end = graph.ends[0]
        unsigned = end.dtype == np.uint8
        answers = numbers(seen.answers, np.dtype(np.int8) if unsigned else end.dtype).astype(np.float64)
        wanted = graph.run(x)
        differences = np.abs(answers.reshape(wanted.shape) + (128 if unsigned else 0) - wanted)
        return made, float(differences.max(initial=0.0))

    def _scratch_bytes(self, driver: Driver, board: Board) -> dict[str, int]:
        """By layer: the library's own expressions, asked on the emulated board."""
        firmware = self._built(driver.asking(self.adapter.headers), board)
        with qemu.open(1) as ready:
            seen = ready.run(Job(firmware.image, records(np.zeros((1, 4), np.int8)), self.work, board))
        if not seen.complete:
            raise KeyboardInterrupt
        sizes = numbers(seen.answers, np.dtype(np.int32))
        if (sizes < 0).any():
            what = f"{self.adapter.name} refuses to tell how much memory a layer needs"
            raise EngineError(what, hint="look at what its adapter says of scratch")
        return dict(zip(driver.calls, map(int, sizes), strict=True))

    def _built(self, sources: Sources, board: Board) -> Firmware:
        return build(emit_firmware(sources, qemu.FACTS, board), Target(self.toolchain, board.name), self.work)


@dataclass(frozen=True)
class Driver:
    """The program that calls a library: `calls` by layer."""

    graph: Graph
    calls: dict[str, Call]

    def sources(self, headers: Sequence[str], scratch_bytes: dict[str, int]) -> Sources:
        """model.h and model.c"""
        plan = arena.plan(self.graph, scratch_bytes)
        entry, end = self.graph.inputs[0], self.graph.ends[0]
        signature = f"void cnn(const {_ctype(entry)} *input, {_ctype(end)} *output)"
        lines = [f"static unsigned char arena[{max(plan.arena_bytes, 4)}] __attribute__((aligned(8)));"]
        lines += [line for layer, name in _running(self.graph) for line in self._function(layer, name)]
        lines += [signature, "{"]
        for layer, name in _running(self.graph):
            read = [f"(const {_ctype(self.graph[one])} *){_at(plan.places[one])}" for one in layer.inputs]
            scratch = _at(plan.scratch[layer.name]) if layer.name in plan.scratch else "arena"
            arguments = ", ".join([*read, f"({_ctype(layer)} *){_at(plan.places[layer.name])}", scratch])
            lines.append(f"    layer_{name}({arguments});")
        lines.append("}")
        return _sources(headers, entry.elements, _ctype(entry), end.elements, _ctype(end), signature, lines)

    def asking(self, headers: Sequence[str]) -> Sources:
        """A program that answers how many bytes of scratch memory each layer wants."""
        signature = "void cnn(const int8_t *input, int32_t *output)"
        lines = [call.constants for call in self.calls.values()]
        lines += [signature, "{", "    (void)input;"]
        lines += [f"    output[{index}] = {call.scratch};" for index, call in enumerate(self.calls.values())]
        return _sources(headers, 4, "int8_t", len(self.calls), "int32_t", signature, [*lines, "}"])

    def _function(self, layer: Layer, name: str) -> Iterator[str]:
        inputs = [f"const {_ctype(self.graph[one])} *input{index}" for index, one in enumerate(layer.inputs)]
        arguments = ", ".join([*inputs, f"{_ctype(layer)} *output", "void *scratch"])
        call = self.calls[layer.name]
        yield from ("", call.constants, f"static __attribute__((noinline, noclone)) void layer_{name}({arguments})")
        yield from ("{", "    (void)scratch;", call.body, "}")


def c_array(ctype: str, name: str, values: Array) -> str:
    """Definition of a constant array: for adapters."""
    lines = "\n".join(f"    {line}" for line in number_lines(values.reshape(-1)))
    return f"static const {ctype} {name}[{values.size}] __attribute__((aligned(4))) = {{\n{lines}\n}};"


def _running(graph: Graph) -> Iterator[tuple[Layer, str]]:
    """Layers that have something to do, and their names in C."""
    views, names = arena.views(graph), c_names(layer.name for layer in graph)
    for layer in graph:
        if not layer.INPUT and layer.name not in views:
            yield layer, names[layer.name].removeprefix("layer_")


def _sources(
    headers: Sequence[str], entries: int, entry: str, answers: int, answer: str, signature: str, lines: Sequence[str]
) -> Sources:
    model_h = [
        "#ifndef MODEL_H",
        "#define MODEL_H",
        "#include <stdint.h>",
        f"#define MODEL_INPUT_TYPE {entry}",
        f"#define MODEL_INPUT_ELEMENTS {entries}",
        f"#define MODEL_OUTPUT_TYPE {answer}",
        f"#define MODEL_OUTPUT_ELEMENTS {answers}",
        f"{signature};",
        "#endif",
    ]
    model_c = ['#include "model.h"', *(f'#include "{name}"' for name in headers), *lines]
    return Sources({"model.h": "\n".join(model_h) + "\n", "model.c": "\n".join(model_c) + "\n"})


def _ctype(layer: Layer) -> str:
    return {1: "int8_t", 2: "int16_t", 4: "float"}[layer.dtype.itemsize]


def _at(place: Place) -> str:
    return f"(arena + {place.offset_bytes})" if place.region == "arena" else place.region


def _shifted(samples: Array) -> Array:
    return (samples.astype(np.int16) - 128).astype(np.int8) if samples.dtype == np.uint8 else samples


def _archive(toolchain: Toolchain, sources: Sequence[Path], work: Path) -> Path:
    """All of them compiled. Raises BuildError for one that the compiler refuses."""
    archive = work / "library.a"

    def compiled(numbered: tuple[int, Path]) -> str:
        number, path = numbered
        goal = f"{number:04}_{path.stem}.o"
        _demand(run([toolchain.gcc, *toolchain.flags, "-c", str(path), "-o", goal], folder=work), path.name)
        return goal

    work.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compiled, enumerate(sources)))
    archive.unlink(missing_ok=True)
    _demand(run([find_arm_tool("ar"), "rcs", archive.name, *objects], folder=work), archive.name)
    return archive


def _demand(done: Any, name: str) -> None:
    if done.returncode != 0:
        first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
        hint = "leave out of the adapter's sources what is not for this core"
        raise BuildError(f"the compiler refused {name!r} of the library: {first}", hint=hint)
