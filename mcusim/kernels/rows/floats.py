"""Rows of weights straight from flash, times one vector of inputs, in float32: the schedule.

Each sum begins as its bias and takes one rounded product after the other, in the order of the inputs, as plain C does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from mcusim.kernels.assembly import Assembly, add_constant, constant, imm
from mcusim.numbers.numbers import Activation
from mcusim.program import FLOAT_ASSEMBLY, KernelCall, Routine
from mcusim.system.arrays import Array

SIGNATURE = "const float *input, const float *weights, float *output, int blocks"
ROWS_AT_A_TIME = tuple(range(1, 13))
REGISTERS = 32
FIRST_SAVED = 16  # from this one on
MOST_BYTES = 992  # of all that a block runs: it stays in the 1 KiB of the L452's instruction cache
TURN_CYCLES = 3  # CMP and the branch back
LIMIT_CYCLES, LIMIT_BYTES = 5, 14  # of an output: comparison, its flags, IT, move
FETCH_CYCLES = 1 / 8  # of a byte of code that runs for the first time, at two wait states


@dataclass(frozen=True)
class FloatRows:
    """A block: `xs` inputs are loaded at a time, and the weights of `ws` of them. `turns` times `inputs` run in a loop,
    then `rest` more. `limits`: of an activation, 0 to 2.
    """

    rows: int
    limits: int
    xs: int
    ws: int
    turns: int
    inputs: int
    rest: int

    @property
    def all_inputs(self) -> int:
        return self.turns * self.inputs + self.rest

    @property
    def cycles(self) -> float:
        loop = self.turns * (self._group_cycles(self.inputs) + TURN_CYCLES)
        return loop + self._group_cycles(self.rest) + (2 + LIMIT_CYCLES * self.limits) * self.rows + 7

    @property
    def flash_bytes(self) -> int:
        return 4 * self.rows * (1 + self.all_inputs)

    @property
    def code_bytes(self) -> int:
        products = sum(map(self._instructions, (self.inputs, self.rest)))
        return 4 * (products + 14 + 3 * self.limits) + LIMIT_BYTES * self.limits * self.rows

    @property
    def registers(self) -> int:
        return self.rows + self.xs + self.ws * self.rows

    @property
    def call_cycles(self) -> int:
        return 10 + (2 * (1 + self.registers - FIRST_SAVED) if self.registers > FIRST_SAVED else 0)

    def bursts(self, inputs: int) -> Iterator[tuple[int, list[int]]]:
        """Of so many inputs: how many are loaded, and for how many of them weights at a time."""
        for start in range(0, inputs, self.xs):
            count = min(self.xs, inputs - start)
            yield count, [min(self.ws, count - first) for first in range(0, count, self.ws)]

    def _group_cycles(self, inputs: int) -> int:
        """A load of n words takes 1 + n; a single row waits for its product."""
        loads = inputs + -(-inputs // self.xs)
        bursts = inputs // self.xs * -(-self.xs // self.ws) + -(-(inputs % self.xs) // self.ws)
        return loads + bursts + (3 * self.rows + (self.rows == 1)) * inputs

    def _instructions(self, inputs: int) -> int:
        bursts = inputs // self.xs * -(-self.xs // self.ws) + -(-(inputs % self.xs) // self.ws)
        return -(-inputs // self.xs) + bursts + 2 * self.rows * inputs


def float_rows_of(inputs: int, limits: int, rows: int, blocks: int) -> FloatRows:
    """What is best where so many blocks follow each other."""
    _, best = min(_fitting(inputs, limits, rows), key=lambda one: blocks * one[0][0] + one[0][1])
    return best


@cache
def _fitting(inputs: int, limits: int, rows: int) -> list[tuple[tuple[float, float], FloatRows]]:
    """Cycles of a block, and those that it takes once, of all that the instruction cache holds."""
    free = REGISTERS - rows
    longest = min(inputs // 2, MOST_BYTES // (8 * rows))
    found = [
        FloatRows(rows, limits, xs, ws, *_split(inputs, step))
        for ws in (1, 2, 4, 8)
        for xs in (1, 2, 4, 8)
        if ws <= xs and xs + ws * rows <= free
        for step in (0, *range(xs, longest + 1, xs))
    ]
    fitting = [one for one in found if one.code_bytes <= MOST_BYTES] or [min(found, key=lambda one: one.code_bytes)]
    return [((one.cycles, one.call_cycles + FETCH_CYCLES * one.code_bytes), one) for one in fitting]


def _split(inputs: int, step: int) -> tuple[int, int, int]:
    return (inputs // step, step, inputs % step) if step else (0, 0, inputs)


def packed(rows: Array, bias: Array) -> Array:
    """Rows (blocks, rows, inputs) and biases (blocks, rows) -> (blocks, numbers) as they are read."""
    return np.concatenate([bias, rows.transpose(0, 2, 1).reshape(len(bias), -1)], axis=1)


def float_rows(block: FloatRows, activation: Activation) -> Routine:
    """`block.rows` outputs a block."""
    fields = dict(activation.fields(None))
    name = f"nn_rows_float_{block.rows}_{block.turns}x{block.inputs}_{block.rest}_{_end_key(activation)}"
    a = Assembly(name, _head(name, block))
    for index, (register, meaning) in enumerate(_CORE):
        a.register(register, f"r{index}", meaning)
    a.register("spare", "r12", "where the loop ends; between blocks a constant")
    sums, xs, ws = _registers(block)
    saved = [f"s{index}" for index in range(FIRST_SAVED, block.registers)]
    if saved:
        a("vpush", _range(saved))
    a("movw", "spare", imm(4 * block.rows))
    a("mla", "end", "end", "spare", "output")
    with a.loop("block", f"{block.rows} rows: their sums begin as biases") as again:
        a("vldm", "weights!", _range(sums))
        if block.turns:
            constant(a, "spare", 4 * block.turns * block.inputs)
            a("add", "spare", "spare", "input")
            with a.loop("products", f"{block.inputs} inputs") as turn:
                _products(a, block, block.inputs, sums, xs, ws)
                a("cmp", "input", "spare")
                a("bne", turn)
        if block.rest:
            a.block(f"{block.rest} inputs")
            _products(a, block, block.rest, sums, xs, ws)
        a.block("Sums become outputs; the inputs are read again")
        add_constant(a, "input", -4 * block.all_inputs, "spare")
        _limit(a, activation, sums, ws[0])
        a("vstm", "output!", _range(sums))
        a("cmp", "output", "end")
        a("bne", again)
    if saved:
        a("vpop", _range(saved))
    a("bx", "lr")
    twin = KernelCall(
        "rows_float",
        ("input", "weights", "output", "blocks"),
        {"inputs": block.all_inputs, "rows": block.rows, **fields},
    )
    return a.routine(SIGNATURE, twin, FLOAT_ASSEMBLY)


_CORE = (("input", ""), ("weights", ""), ("output", ""), ("end", "blocks, then the end of the outputs"))


def _registers(block: FloatRows) -> tuple[list[str], list[str], list[str]]:
    """Sums, inputs and weights: each kind in a row, as VLDM wants them."""
    every = [f"s{index}" for index in range(block.registers)]
    inputs, weights = block.rows, block.rows + block.xs
    return every[:inputs], every[inputs:weights], every[weights:]


def _range(names: list[str]) -> str:
    return f"{{{names[0]}-{names[-1]}}}" if len(names) > 1 else f"{{{names[0]}}}"


def _products(a: Assembly, block: FloatRows, inputs: int, sums: list[str], xs: list[str], ws: list[str]) -> None:
    for count, bursts in block.bursts(inputs):
        a("vldm", "input!", _range(xs[:count]))
        left = iter(xs)
        for some in bursts:
            a("vldm", "weights!", _range(ws[: some * block.rows]))
            for first in range(0, some * block.rows, block.rows):
                x, own = next(left), ws[first : first + block.rows]
                for weight in own:
                    a("vmul.f32", weight, weight, x)
                for sum_, product in zip(sums, own, strict=True):
                    a("vadd.f32", sum_, sum_, product)


def _limit(a: Assembly, activation: Activation, sums: list[str], bound: str) -> None:
    """As nn_limit does: what is no number stays none, and -0.0 stays."""
    if activation.relu:
        _constant(a, bound, 0.0)
        for name in sums:
            a("vcmp.f32", name, "#0.0")
            a("vmrs", "apsr_nzcv", "fpscr")
            a("it", "mi")
            a("vmovmi.f32", name, bound)
    if activation.ceiling is not None:
        _constant(a, bound, activation.ceiling)
        for name in sums:
            a("vcmp.f32", name, bound)
            a("vmrs", "apsr_nzcv", "fpscr")
            a("it", "gt")
            a("vmovgt.f32", name, bound)


def _constant(a: Assembly, register: str, value: float) -> None:
    constant(a, "spare", int(np.float32(value).view(np.uint32)))
    a("vmov", register, "spare")


def _end_key(activation: Activation) -> str:
    if activation.ceiling is not None:
        return f"c{int(np.float32(activation.ceiling).view(np.uint32)):08x}"
    return "relu" if activation.relu else "linear"


def _head(name: str, block: FloatRows) -> list[str]:
    return [
        f"{name}: scalar products of {block.all_inputs} numbers with {block.rows} rows of weights at a time.",
        "",
        f"input    {block.all_inputs} numbers",
        f"weights  blocks: the biases, then for each input the weights of {block.rows} rows",
        f"output   {block.rows} numbers a block",
        "",
        f"Sums lie in s0 to s{block.rows - 1}, the inputs behind them, then weights, which become products. A sum",
        "begins as its bias and takes one product after the other, each of them rounded, as plain C does.",
    ]
