"""The tile of `tile.py` as assembly: what comes onto the stack, the products, and how sums become outputs."""

from functools import lru_cache
from itertools import product

from mcusim.kernels.assembly import LONGEST_OFFSET, SAVED, Assembly, Timed, add_constant, at, constant, imm, several
from mcusim.kernels.finish import Ending, FactorFinish
from mcusim.kernels.straight import StraightFinish, scale_filters
from mcusim.kernels.tile import LONG_CODE, Tile, free_behind_lines, kept_of, operands_of
from mcusim.program import KernelCall, Routine

SIGNATURE = "const int16_t *input, const int16_t *weights, void *output, const int32_t *bias, int tiles"
_OUTPUT, _END, _BIAS = 0, 4, 8  # on the stack; behind the biases factors, if there are any
_SCALING = ("r1", "r2", "r3", "r12")  # where sums end: of factors
_FACTOR_MOVED = ("r6", "r7", "r8")  # on its way to the stack
RECORDS = "of the filters, twice, and behind each multiplier, addend and shift of its factor"
LINES = "of the filters, and behind each multiplier and addend of its line"


def tile_routine(tile: Tile) -> Routine:
    """`tiles` tiles one after another, for the same filters."""
    return timed_tile(tile).routine


@lru_cache(maxsize=256)
def timed_tile(tile: Tile) -> Timed:
    t = tile
    size = f"{t.filters}x{t.positions}" + ("" if t.most_code == LONG_CODE else "_short")
    steps = f"{t.position_step}_{t.word_step}_{t.tile_step}"
    name = f"nn_tile_{size}_{t.words}_{steps}_{t.outputs}_{t.finish.key}"
    a = Assembly(name, _head(name, t))
    _registers(a, t)
    _enter(a, t)
    with a.part("tile"), a.loop("tile", "A tile: its sums begin with the bias of their filter") as again:
        for filter_ in range(t.filters):
            a("ldr", t.sums[t.positions * (filter_ + 1) - 1], at("sp", _bias(t, filter_)))
        _products(a, t)
        _end(a, t)
        a("bne", again)
    a("add", "sp", "sp", imm(t.frame))
    a("pop", several([*SAVED, "pc"]))
    fields = {"filters": t.filters, "positions": t.positions, "words": t.words, "outputs": t.outputs}
    fields |= {"position_step": t.position_step, "word_step": t.word_step, "tile_step": t.tile_step}
    twin = KernelCall("tile", ("input", "weights", "output", "bias", "tiles"), {**fields, **t.finish.fields})
    *_, turns = t.plan
    return Timed(a.routine(SIGNATURE, twin), a.parts[""], a.parts["tile"] + turns * a.parts["products"])


def _registers(a: Assembly, t: Tile) -> None:
    a.register("input", "r0", "of the tile, on its way through the words")
    a.register("weights", "lr", "of all filters, word by word")
    for index, name in enumerate(t.sums):
        filter_, position = divmod(index, t.positions)
        a.register(name, f"r{4 + index}", f"filter {filter_}, position {position}")
    operands = operands_of(t)
    for filter_ in range(t.filters):
        a.register(f"weight{filter_}", operands[filter_])
    for index, register in enumerate(operands[t.filters : t.filters + t.positions]):
        a.register(f"x{index}", register)
    for name, register in zip(("output", "end"), kept_of(t), strict=False):
        a.register(name, register, "of the tiles" if name == "end" else "of the tile")


def _enter(a: Assembly, t: Tile) -> None:
    a.block("On the stack: where outputs go, where the input ends, the biases")
    a("push", several([*SAVED, "lr"]))
    a("sub", "sp", "sp", imm(t.frame))
    a("ldr", "r12", at("sp", t.frame + 4 * (len(SAVED) + 1)))
    if isinstance(t.finish, StraightFinish):
        _enter_lines(a, t)
        return
    a("ldr", "r4", "[r3]")
    if t.filters == 2:
        a("ldr", "r5", at("r3", 4 * t.finish.record_words))
    _enter_places(a, t, "r6")
    if t.finish.raised:
        constant(a, "r1", t.finish.raised)
        for filter_ in range(t.filters):
            a("add", f"r{4 + filter_}", f"r{4 + filter_}", "r1")
    _keep_places(a, t)
    for filter_ in range(t.filters):
        a("str", f"r{4 + filter_}", at("sp", _bias(t, filter_)))
    if isinstance(t.finish, FactorFinish):
        a.block("What scales the filters' sums")
        for filter_ in range(t.filters):
            a("add", "r1", "r3", imm(4 + 4 * t.finish.record_words * filter_))
            a("ldm", "r1", several(_FACTOR_MOVED))
            a("add", "r1", "sp", imm(_factor(t, filter_)))
            a("stm", "r1", several(_FACTOR_MOVED))


def _enter_lines(a: Assembly, t: Tile) -> None:
    """Likewise, with biases and lines as they lie in their records."""
    a("ldm", "r3!", several(("r4", "r5", "r6", "r7")))
    if t.filters == 2:
        a("ldm", "r3", several(("r7", "r8", "r9")))
    _enter_places(a, t, "r10")
    _keep_places(a, t)
    a("add", "r1", "sp", imm(_BIAS))
    a("stm", "r1", several(f"r{4 + index}" for index in range(3 * t.filters)))


def _enter_places(a: Assembly, t: Tile, spare: str) -> None:
    """The weights, and the end of the input into r12, where the tiles are counted."""
    constant(a, spare, t.tile_step)
    a("mla", "r12", "r12", spare, "r0")
    a("mov", "weights", "r1")


def _keep_places(a: Assembly, t: Tile) -> None:
    kept = kept_of(t)
    a("mov", "output", "r2") if kept else a("str", "r2", at("sp", _OUTPUT))
    a("mov", "end", "r12") if len(kept) > 1 else a("str", "r12", at("sp", _END))


def _bias(t: Tile, filter_: int) -> int:
    """Where it is on the stack."""
    return _BIAS + (12 if isinstance(t.finish, StraightFinish) else 4) * filter_


def _factor(t: Tile, filter_: int) -> int:
    """Where its multiplier is on the stack: of lines behind the bias, else behind both."""
    if isinstance(t.finish, StraightFinish):
        return _bias(t, filter_) + 4
    return _BIAS + 4 * t.filters + 4 * len(_FACTOR_MOVED) * filter_


def _products(a: Assembly, t: Tile) -> None:
    """All sums; `input` and `weights` move to the ends of their words, but weights without a loop."""
    first, steps, turns = t.plan
    a.block(f"{first} pairs of numbers, for all sums")
    _steps(a, t, first, begin=True, move=turns > 0)
    if not turns:
        return
    what = f"{steps} pairs in each of {turns} turns; the address of the weights tells the last"
    with a.part("products"), a.loop("products", what) as again:
        _steps(a, t, steps, begin=False, move=True)
        if turns > 1:
            _until_the_end(a, t.mask)
            a("bne", again)


def _until_the_end(a: Assembly, mask: int) -> None:
    """Zero, as the flags say, once the weights are used up."""
    if mask >> (mask & -mask).bit_length() - 1 < 256:
        a("tst", "weights", imm(mask))
        return
    constant(a, "weight0", mask)
    a("tst", "weights", "weight0")


def _steps(a: Assembly, t: Tile, steps: int, *, begin: bool, move: bool) -> None:
    """Unrolled. Pointers move with the first load from where they point to."""
    weight_step, x_step = 4 * t.filters * steps, t.word_step * steps
    at_once = min(t.positions, len(operands_of(t)) - t.filters)
    for step in range(steps):
        for filter_ in reversed(range(t.filters)):
            offset = 4 * (t.filters * step + filter_)
            if offset == 0 and move:
                a("ldr", "weight0", "[weights]", imm(weight_step))
            else:
                a("ldr", f"weight{filter_}", at("weights", offset - (weight_step if move and step else 0)))
        for burst in range(0, t.positions, at_once):
            positions = range(burst, min(burst + at_once, t.positions))
            for position in [*positions[1:], positions[0]]:
                offset = t.word_step * step + t.position_step * position
                if step == position == 0:
                    a("ldr", "x0", "[input]", imm(x_step))
                else:
                    a("ldr", f"x{position - burst}", at("input", offset - (x_step if step or burst else 0)))
            for position, filter_ in product(positions, range(t.filters)):
                name, last = t.sums[t.positions * filter_ + position], t.sums[t.positions * (filter_ + 1) - 1]
                addend = last if begin and step == 0 else name
                a("smlad", name, f"weight{filter_}", f"x{position - burst}", addend)


def _end(a: Assembly, t: Tile) -> None:
    """Sums -> outputs; pointers to the next tile, flags whether there is one."""
    a.block("Sums become outputs")
    size, kept = t.finish.store_bytes, kept_of(t)
    early = free_behind_lines(t)
    output, end = "output" if kept else "r1", "end" if len(kept) > 1 else early or "r2"
    if isinstance(t.finish, FactorFinish):
        _scale(a, t, t.finish)
    if not kept:
        a("ldr", output, at("sp", _OUTPUT))
    if len(kept) < 2 and not early:
        a("ldr", end, at("sp", _END))
    if not isinstance(t.finish, FactorFinish):
        t.finish.saturated(a, t.sums, "r3", raised=True)
    near = t.outputs * size * t.positions <= LONGEST_OFFSET
    for position in range(t.positions):
        for filter_ in range(t.filters):
            offset = (t.outputs * position if near else 0) + filter_
            t.finish.store(a, t.sums[t.positions * filter_ + position], output, offset * size)
        if not near:
            add_constant(a, output, t.outputs * size, "r3")
    a.block("On to the next tile, if any is left")
    if near:
        add_constant(a, output, t.outputs * size * t.positions, "r3")
    add_constant(a, "input", t.tile_step - t.word_step * t.words, "r3")
    if t.plan[2]:
        add_constant(a, "weights", -t.weight_bytes, "r3")
    if not kept:
        a("str", output, at("sp", _OUTPUT))
    a("cmp", "input", end)


def _scale(a: Assembly, t: Tile, finish: FactorFinish) -> None:
    """Operands hold nothing any more."""
    places = [_factor(t, filter_) for filter_ in range(t.filters)]
    of_filters = [t.sums[first : first + t.positions] for first in range(0, len(t.sums), t.positions)]
    early = free_behind_lines(t)
    scale_filters(a, finish, of_filters, places, _SCALING, [(early, _END)] if early else ())


def records_text(finish: Ending, bits: str = "") -> str:
    """What lies where biases are."""
    if isinstance(finish, FactorFinish):
        return LINES if isinstance(finish, StraightFinish) else RECORDS
    return f"of the filters, {bits}with what rounds in it"


def _head(name: str, t: Tile) -> list[str]:
    loads = f"{t.position_step} bytes from position to position, {t.word_step} from pair to pair"
    ends = f"; they end at a multiple of {t.end_bytes} bytes" if t.mask else ""
    return [
        f"{name}: {t.filters} filters x {t.positions} positions, products of {t.words} pairs of numbers of 16 bits.",
        "",
        f"input    {loads}, {t.tile_step} from tile to tile",
        f"weights  [{t.words} pairs][{t.filters} filters][2 numbers]{ends}",
        f"output   of the first filter at the first position; positions lie {t.outputs} outputs apart",
        f"bias     {records_text(t.finish)}",
        "",
        "No sum overflows: mcusim has the bound of each from its weights, and sends here what 32 bits hold. What lies",
        "between may wrap round, the sum is right again. The address of the weights ends the loop: no register counts.",
    ]
