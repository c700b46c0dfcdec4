"""The plan of `plan.py` as assembly: for some filters at a time a loop over positions of a line, straight inside."""

from collections.abc import Sequence

from mcusim.kernels.assembly import (
    LONGEST_OFFSET,
    SAVED,
    WORD_BYTES,
    Assembly,
    add_constant,
    at,
    constant,
    imm,
    several,
)
from mcusim.kernels.calls import Fields
from mcusim.kernels.finish import FactorFinish
from mcusim.kernels.unpacked.plan import SPARE, SUMS, Block, Plan, Word
from mcusim.program import KernelCall, Routine

SIGNATURE = "const int16_t *input, void *output, const int32_t *bias"
_INPUT, _OUTPUT, _BIAS, _COUNT = 0, 4, 8, 12  # on the stack
_TEMPORARY = tuple(f"spare{index}" for index in range(len(SPARE)))


def routine_of(plan: Plan, name: str) -> Routine:
    a = assembly_of(plan, name)
    fields: Fields = {"positions": plan.length, "position_step": plan.step, "outputs": len(plan.pairs)}
    fields |= {"groups": plan.groups, "group_step": plan.group_step, "words": len(plan.places)}
    fields |= {"places": _array("int32_t", plan.places), "weights": _array("int8_t", plan.pairs.reshape(-1).tolist())}
    twin = KernelCall("unpacked", ("input", "output", "bias"), {**fields, **plan.finish.fields})
    return a.routine(SIGNATURE, twin)


def _array(ctype: str, values: Sequence[int]) -> str:
    return f"(const {ctype}[]){{{', '.join(map(str, values))}}}"


def assembly_of(plan: Plan, name: str) -> Assembly:
    """Parts: "" of a call, `block` of the filters of a block, `tile` of each tile of one."""
    a = Assembly(name, _head(name, plan))
    a.register("input", "r0", "of the tile, on its way through the words")
    a.register("output", "r1", "of the tile")
    for index, register in enumerate(SUMS[: plan.filters * plan.positions]):
        filter_, position = divmod(index, plan.positions)
        a.register(f"sum{index}", register, f"filter {filter_}, position {position}")
    for temporary, register in zip(_TEMPORARY, SPARE, strict=True):
        a.register(temporary, register)
    a.block("On the stack: input, output and bias of the line, and the tiles that are left")
    a("push", several(["r0", "r1", "r2", "r3", *SAVED, "lr"]))
    for block in plan.blocks:
        with a.part("block"):
            _block(a, plan, block)
    a("add", "sp", "sp", imm(4 * WORD_BYTES))
    a("pop", several([*SAVED, "pc"]))
    return a


def _block(a: Assembly, plan: Plan, block: Block) -> None:
    last = block.span.first + block.span.filters - 1
    a.block(f"Filters {block.span.first} to {last}: {len(block.words)} words of each window are of use")
    a("ldr", "input", at("sp", _INPUT))
    a("ldr", "output", at("sp", _OUTPUT))
    add_constant(a, "output", block.span.first * plan.finish.store_bytes, "spare0")
    if plan.tiles > 1:
        a("movw", "spare0", imm(plan.tiles))
        a("str", "spare0", at("sp", _COUNT))
    with a.part("tile"), a.loop("tile", "A tile: its sums begin with the bias of their filter") as again:
        for filter_ in range(block.span.filters):
            first, *others = sums_of(plan, filter_)
            constant(a, first, first_sum(plan, block.span.first + filter_))
            for other in others:
                a("mov", other, first)
        moved = _products(a, plan, block)
        _end(a, plan, block)
        if plan.tiles > 1:
            _next(a, plan, moved)
            a("bge" if plan.twice else "bne", again)


def sums_of(plan: Plan, filter_: int) -> list[str]:
    return [f"sum{filter_ * plan.positions + position}" for position in range(plan.positions)]


def first_sum(plan: Plan, filter_: int) -> int:
    """With what it begins, as 32 bits without a sign."""
    return int(plan.records[filter_][0]) + plan.finish.raised & 0xFFFFFFFF


def move_to(plan: Plan, place: int, moved: int) -> int:
    """How far the input moves for a word, where offsets from where it is, `moved` bytes on, do not reach it."""
    offset = place - moved
    return offset if offset < 0 or offset + (plan.positions - 1) * plan.step > LONGEST_OFFSET else 0


def _products(a: Assembly, plan: Plan, block: Block) -> int:
    """-> by how much the input moved."""
    moved = 0
    for word in block.words:
        if further := move_to(plan, word.place, moved):
            add_constant(a, "input", further, "spare0")
            moved += further
        offsets = [word.place - moved + position * plan.step for position in range(plan.positions)]
        if plan.positions <= 2:
            _inputs_first(a, plan, word, offsets)
        else:
            _weights_first(a, plan, word, offsets)
    return moved


def _inputs_first(a: Assembly, plan: Plan, word: Word, offsets: Sequence[int]) -> None:
    inputs, (*_, weight) = _TEMPORARY[: len(offsets)], _TEMPORARY
    _load(a, inputs, offsets)
    for own in word.weights:
        _constant_of(a, weight, own.low, own.high)
        for x, total in zip(inputs, sums_of(plan, own.filter_), strict=True):
            _multiply(a, total, x, weight, own.low, own.high)


def _weights_first(a: Assembly, plan: Plan, word: Word, offsets: Sequence[int]) -> None:
    """For more positions than registers have room for inputs."""
    weights, inputs = _TEMPORARY[: plan.filters], _TEMPORARY[plan.filters :]
    for weight, own in zip(weights, word.weights, strict=False):
        _constant_of(a, weight, own.low, own.high)
    for first in range(0, len(offsets), plan.at_once):
        some = offsets[first : first + plan.at_once]
        _load(a, inputs, some)
        for weight, own in zip(weights, word.weights, strict=False):
            for x, total in zip(inputs, sums_of(plan, own.filter_)[first : first + len(some)], strict=False):
                _multiply(a, total, x, weight, own.low, own.high)


def _load(a: Assembly, inputs: Sequence[str], offsets: Sequence[int]) -> None:
    """One behind the other they take a cycle each, but for the first."""
    for x, offset in zip(inputs, offsets, strict=False):
        a("ldr", x, at("input", offset))


def _constant_of(a: Assembly, register: str, low: int, high: int) -> None:
    """A weight alone is in the lower half, whichever number it meets."""
    a("movw", register, imm((low or high) & 0xFFFF))
    if low and high:
        a("movt", register, imm(high & 0xFFFF))


def _multiply(a: Assembly, total: str, x: str, weight: str, low: int, high: int) -> None:
    a("smlad" if low and high else "smlabb" if low else "smlatb", total, x, weight, total)


def _end(a: Assembly, plan: Plan, block: Block) -> None:
    a.block("Sums become outputs")
    finish = plan.finish
    for filter_ in range(block.span.filters if isinstance(finish, FactorFinish) else 0):
        assert isinstance(finish, FactorFinish)
        place = WORD_BYTES * (finish.record_words * (block.span.first + filter_) + 1)
        *factor, spare = _TEMPORARY
        a("ldr", spare, at("sp", _BIAS))
        if place + WORD_BYTES * finish.record_words > LONGEST_OFFSET:
            add_constant(a, spare, place, factor[0])
            place = 0
        finish.load(a, factor, spare, place)
        finish.scaled(a, sums_of(plan, filter_), factor, spare)
    every = [total for filter_ in range(block.span.filters) for total in sums_of(plan, filter_)]
    if not isinstance(finish, FactorFinish):
        finish.saturated(a, every, "spare0", raised=True)
    for index, total in enumerate(every):
        filter_, position = divmod(index, plan.positions)
        finish.store(a, total, "output", position * plan.position_bytes + filter_ * finish.store_bytes)


def _next(a: Assembly, plan: Plan, moved: int) -> None:
    """Both pointers go on, and the flags say whether a tile is left."""
    a.block("On to the next tile, if any is left")
    add_constant(a, "input", plan.positions * plan.step - moved, "spare0")
    add_constant(a, "output", plan.positions * plan.position_bytes, "spare0")
    a("ldr", "spare0", at("sp", _COUNT))
    a("subs", "spare0", "spare0", imm(1))
    a("str", "spare0", at("sp", _COUNT))
    if plan.twice:
        a("cmp", "spare0", imm(1))
        a("itt", "eq")
        a("subweq", "input", "input", imm(plan.twice * plan.step))
        a("subweq", "output", "output", imm(plan.twice * plan.position_bytes))


def _head(name: str, plan: Plan) -> list[str]:
    return [
        f"{name}: {len(plan.pairs)} filters at {plan.length} positions of a line.",
        "",
        f"{plan.filters} x {plan.positions} sums at a time; weights are constants, and those of 0 are not there.",
        "",
        f"input    numbers of 16 bits, {plan.step} bytes from position to position",
        f"output   of the first filter at the first position; positions lie {plan.position_bytes} bytes apart",
        "bias     of the filters, with what scales their sums; the biases themselves are in the code",
        "",
        "No sum overflows: mcusim has the bound of each from its weights, and sends here what 32 bits hold.",
    ]
