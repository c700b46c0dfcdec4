"""Rows of weights straight from flash, times one vector of inputs: the schedule of dense layers of integers.

Every weight is read once, so nothing is gained by bringing it into RAM first: bursts as long as the registers allow,
all rows of a block in step with the inputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, NamedTuple

from mcusim.kernels.assembly import SAVED, Assembly, add_constant, at, constant, imm, several
from mcusim.kernels.finish import Ending, FactorFinish, Finish
from mcusim.kernels.rows.forms import FORMS, Form
from mcusim.kernels.straight import StraightFinish
from mcusim.program import KernelCall, Routine

SIGNATURE = "const int16_t *input, const int32_t *weights, void *output, int blocks"
MOST_BYTES = 992  # of all that a block runs: it stays in the 1 KiB of the L452's instruction cache
TURN_CYCLES, COMPARED_CYCLES = 3, 5  # TST or a load and CMP, and the branch back
MOST_ALIGNED = 2048  # bytes of inputs that end at a multiple of a power of two; of more it would waste too much memory
FETCH_CYCLES = 1 / 8  # of a byte of code that runs for the first time, at two wait states
TOTAL_CYCLES = 2  # of a word in front of the inputs
FRAME = 12  # bytes of the stack
REGISTERS = 12  # for sums, inputs and weights
TOTALS = (  # what the last words in front of the inputs are, the last one first
    "         in front of them the sum of the products of each even word and the one behind it",
    "         and in front of that 128 x the sum of all",
)


@dataclass(frozen=True)
class Turns:
    """The words of the inputs: `rest`, then `turns` times `words` in a loop."""

    turns: int
    words: int
    rest: int

    @property
    def all_words(self) -> int:
        return self.rest + self.turns * self.words

    @property
    def key(self) -> str:
        return f"{self.turns}x{self.words}_{self.rest}" if self.words else f"{self.rest}"

    @property
    def loop_bytes(self) -> int:
        """Of the inputs that the loop reads."""
        return 4 * self.turns * self.words if self.turns > 1 else 0

    @property
    def compared(self) -> bool:
        """Does the loop compare the address with that of the end?"""
        return self.loop_bytes > MOST_ALIGNED

    @property
    def end_bytes(self) -> int:
        """The inputs end at a multiple of it, so that their address tells when they are used up."""
        size = 4
        while size < self.loop_bytes and not self.compared:
            size *= 2
        return size

    @property
    def mask(self) -> int:
        """Bits of the address that are 0 at the end alone."""
        step = 4 * self.words
        return (self.end_bytes - 1) & ~((step & -step) - 1)

    @property
    def can_end(self) -> bool:
        """Has Thumb an immediate for the mask?"""
        return self.turns == 1 or self.compared or self.mask // (self.mask & -self.mask) < 256


class OutputPrice(NamedTuple):
    """What an output takes besides the one instruction that saturates it."""

    cycles: int = 0
    code_bytes: int = 0
    flash_words: int = 0  # of its factor


def output_price(finish: Ending) -> OutputPrice:
    if isinstance(finish, FactorFinish):
        words = len(finish.factor)
        return OutputPrice(finish.cycles + words, finish.code_bytes, words)
    # A ceiling: comparison, IT, move.
    return OutputPrice() if finish.ceiling is None else OutputPrice(3, 10)


@cache
def form_of(name: str, rows: int) -> Form:
    """With the bursts of inputs and weights that cost least of those for which there are registers."""
    kind = FORMS[name]
    free = REGISTERS - kind.spares - int(kind.sum_words * rows)
    spans = range(kind.span, free - kind.weight_words + 1, kind.span)
    found = [kind(rows, xs, (free - xs) // kind.weight_words * kind.weight_words) for xs in spans]
    return min(found, key=lambda form: (_group_cycles(form, form.xs * form.ws) / form.xs / form.ws, form.xs))


def turns_of(form: Form, words: int, output: OutputPrice, blocks: int) -> Turns:
    """The loop of the fewest cycles for so many blocks, with those that its code takes to come from flash."""
    _, best = min(_fitting(form, words, output), key=lambda one: blocks * one[0][0] + one[0][1])
    return best


@cache
def _fitting(form: Form, words: int, output: OutputPrice) -> list[tuple[tuple[float, float], Turns]]:
    """Cycles of a block, and those that it takes once, of all loops for which the instruction cache has room."""
    most = MOST_BYTES / (4 * form.word_cycles * form.weight_words * form.units)
    longest = min(words // 2, int(most) * form.span)
    steps = range(form.xs, longest + 1, form.xs)
    found = [Turns(1, 0, words), *(Turns(words // step, step, words % step) for step in steps)]
    sizes = {one: _block_bytes(form, one, output) for one in found if one.can_end}
    fitting = [one for one, size in sizes.items() if size <= MOST_BYTES] or [min(sizes, key=lambda one: sizes[one])]
    return [((_pass_cycles(form, one), FETCH_CYCLES * sizes[one]), one) for one in fitting]


def _products(a: Assembly, form: Form, words: int) -> None:
    """Weights come in bursts as long as there are registers, inputs where the first of these meets them."""
    xs, ws = [f"x{i}" for i in range(form.xs)], [f"w{i}" for i in range(form.ws)]
    items = [(unit, x) for x in range(0, words, form.span) for unit in range(form.units)]
    each = form.weight_words
    at_once = form.ws // each
    for start in range(0, len(items), at_once):
        burst = items[start : start + at_once]
        _load(a, "weights", ws[: each * len(burst)])
        for index, (unit, x) in enumerate(burst):
            if unit == 0 and x % form.xs == 0:
                _load(a, "input", xs[: words - x])
            first = x % form.xs
            form.multiply(a, unit, ws[each * index : each * (index + 1)], xs[first : first + form.span])


def _load(a: Assembly, base: str, names: Sequence[str]) -> None:
    if len(names) > 1:
        a("ldm", f"{base}!", several(names))
    else:
        a("ldr", names[0], f"[{base}]", imm(4))


def _counts(form: Form, words: int) -> tuple[int, int]:
    """For so many words of inputs: loads, and words of weights."""
    weights = words // form.span * form.units * form.weight_words
    return -(-words // form.xs) + -(-weights // form.ws), weights


def _group_cycles(form: Form, words: int) -> float:
    """Loads of n words take 1 + n."""
    loads, weights = _counts(form, words)
    return loads + words + weights * (1 + form.word_cycles)


def _pass_cycles(form: Form, turns: Turns) -> float:
    turn = _group_cycles(form, turns.words) + (COMPARED_CYCLES if turns.compared else TURN_CYCLES)
    loop = turns.turns * turn if turns.turns > 1 else 0
    return loop + _group_cycles(form, turns.rest)


def _block_bytes(form: Form, turns: Turns, output: OutputPrice) -> int:
    """Of all that a block runs."""
    both = [_counts(form, words) for words in (turns.words, turns.rest)]
    code = sum(loads + weights * form.word_cycles for loads, weights in both)
    return 4 * round(code + 12 + form.rows * (1 + form.end_cycles)) + output.code_bytes * form.rows


@dataclass(frozen=True)
class Products:
    """A block of `form.rows` rows."""

    call_cycles: ClassVar[int] = 20

    form: Form
    turns: Turns
    output: OutputPrice

    @property
    def rows(self) -> int:
        return self.form.rows

    @property
    def cycles(self) -> float:
        of_a_row = 1 + self.form.sum_words + self.form.end_cycles + self.output.cycles
        ends = self.rows * of_a_row + 10 + TOTAL_CYCLES * self.form.totals
        return _pass_cycles(self.form, self.turns) + ends

    @property
    def flash_bytes(self) -> int:
        return 4 * round(
            self.rows * (self.form.sum_words + self.output.flash_words)
            + self.form.units * self.form.weight_words * self.turns.all_words // self.form.span
        )

    @property
    def code_bytes(self) -> int:
        return _block_bytes(self.form, self.turns, self.output) + 44


@cache
def products_of(name: str, words: int, output: OutputPrice, rows: int, blocks: int) -> Products:
    """What is best where so many blocks follow each other, for inputs of so many words."""
    form = form_of(name, rows)
    return Products(form, turns_of(form, words, output, blocks), output)


def row_products(products: Products, finish: Ending) -> Routine:
    """Blocks of that kind, one after the other."""
    form, turns = products.form, products.turns
    words = turns.all_words
    name = f"nn_rows_{form.NAME}_{form.rows}_{turns.key}_{finish.key}"
    a = Assembly(name, _head(name, form, words, turns, finish))
    free = _registers(a, form)
    output, end, total, spare = *free[:3], free[-1]
    _enter(a, turns, form.rows * finish.store_bytes)
    with a.loop("block", f"{form.rows} rows: their sums begin as biases") as block:
        a("ldm", "weights!", several(form.sums))
        if turns.rest:
            a.block(f"{turns.rest} words of inputs")
            _products(a, form, turns.rest)
        if turns.turns > 1:
            with a.loop("products", f"{turns.words} words of inputs") as again:
                _products(a, form, turns.words)
                if turns.compared:
                    a("ldr", "w0", at("sp", 8))
                    a("cmp", "input", "w0")
                else:
                    a("tst", "input", imm(turns.mask))
                a("bne", again)
        a.block("Sums become outputs; the inputs are read again")
        add_constant(a, "input", -4 * words, spare)
        if isinstance(finish, FactorFinish):
            _scale(a, form, finish, free)
        outputs = form.end(a, finish, total, spare) if isinstance(finish, Finish) else form.settled
        a("ldm", "sp", several([output, end]))
        for row, register in enumerate(outputs):
            finish.store(a, register, output, row * finish.store_bytes)
        add_constant(a, output, form.rows * finish.store_bytes, spare)
        a("str", output, "[sp]")
        a("cmp", output, end)
        a("bne", block)
    a("add", "sp", "sp", imm(FRAME))
    a("pop", several([*SAVED, "pc"]))
    arguments = ("input", "weights", "output", "blocks")
    twin = KernelCall(form.twin, arguments, {"words": words, "rows": form.rows, **form.fields, **finish.fields})
    return a.routine(SIGNATURE, twin)


def _enter(a: Assembly, turns: Turns, block_bytes: int) -> None:
    """`block_bytes`: of the outputs of a block."""
    a.block("On the stack: output, end of the outputs, end of the inputs")
    a("push", several([*SAVED, "lr"]))
    a("sub", "sp", "sp", imm(FRAME))
    a("mov", "weights", "r1")
    a("movw", "r1", imm(block_bytes))
    a("mla", "r3", "r3", "r1", "r2")
    a("strd", "r2", "r3", "[sp]")
    if turns.compared:
        constant(a, "r3", 4 * turns.all_words)
        a("add", "r3", "r3", "input")
        a("str", "r3", at("sp", 8))


def _scale(a: Assembly, form: Form, finish: FactorFinish, free: Sequence[str]) -> None:
    """Sums of all rows become outputs, with the factors that follow their weights."""
    factor, spare = free[:3], free[-1]
    form.settle(a, factor[0])
    for name, more in zip(form.settled, form.raised_bits, strict=True):
        a("ldm", "weights!", several(factor[: len(finish.factor)]))
        if isinstance(finish, StraightFinish) and more:
            a("lsl", factor[1], factor[1], imm(more))
        finish.scaled(a, [name], factor, spare, more=more)


def _registers(a: Assembly, form: Form) -> list[str]:
    """-> the names of those that hold nothing between two blocks, lowest first."""
    a.register("input", "r0", "words of two inputs")
    a.register("weights", "lr")
    xs, ws = [f"x{i}" for i in range(form.xs)], [f"w{i}" for i in range(form.ws)]
    order = [*xs, *(["even"] if form.spares else []), *form.sums, *ws]
    for index, name in enumerate(order):
        a.register(name, f"r{1 + index}")
    return [name for name in order if name not in form.sums]


def _head(name: str, form: Form, words: int, turns: Turns, finish: Ending) -> list[str]:
    end = f"; they end at a multiple of {turns.end_bytes} bytes" if turns.turns > 1 else ""
    return [
        f"{name}: scalar products of {2 * words} numbers of 16 bits with {form.rows} rows of weights at a time.",
        "",
        f"input    {words} words of two numbers{end}",
        *TOTALS[: form.totals],
        *form.LAYOUT,
        *(
            [f"         and behind them, for each row, {' and '.join(finish.factor)} of its factor"]
            if isinstance(finish, FactorFinish)
            else []
        ),
        f"output   {form.rows} numbers a block",
        "",
        *form.PROOF,
    ]
