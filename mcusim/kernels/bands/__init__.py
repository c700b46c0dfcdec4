"""Two layers band by band: the rows of the second that make up a band, from the rows of the first that it reads.

Each band is two layers like any other, which the kernels of all layers run. So bits are those of the layers one after
the other; cycles too, but for rows that two bands read, which are computed twice. RAM is what it saves: of what the
first writes only a few rows are there at a time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mcusim.graph import Layer
from mcusim.kernels import plain
from mcusim.kernels.bands.cuts import ALIGNMENT_BYTES, Band, Run, bands, lengths, runs
from mcusim.kernels.calls import renamed
from mcusim.kernels.choice import Destination, KernelChoice, Option, opt_in, options
from mcusim.kernels.choice import why_not as why_no_kernel
from mcusim.kernels.kernel import DEFAULT, Inputs, Kernel, Variant, known
from mcusim.kernels.memory import NO_WAITS, Memory
from mcusim.layers.fused import Fused
from mcusim.program import PART, Constant, KernelCall, LayerCode, Repeated, Routine
from mcusim.system.errors import ConfigurationError

MOST_VARIANTS = 4  # of a kernel, that are tried
CALL_CYCLES = 40  # of a band
JOINED = "+"  # names of the kernels of both layers
Both = tuple[tuple[Kernel, Variant], tuple[Kernel, Variant]]
LOOP_BYTES = 24  # of code
BETWEEN = "number_t *)scratch"  # the rows of the first layer


@dataclass(frozen=True)
class Bands:
    """A Kernel for one fused pair: `rows` of output in a band, and what runs both layers of each run of bands.

    It is called like what runs most bands.
    """

    NAME: str
    rows: int
    chosen: tuple[Both, ...]

    SUMMARY: str = "a convolution and what reads it, band by band"
    ANY_STORAGE: bool = True

    def fits(self, layer: Layer, inputs: Inputs) -> str | None:
        return None if isinstance(layer, Fused) else "it is for fused layers"

    def cost(self, layer: Fused, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
        every = zip(self._runs(layer, inputs), self.chosen, strict=True)
        return sum(run.times * (CALL_CYCLES + _cost(run, both, memory)) for run, both in every)

    def code(self, layer: Fused, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
        every = zip(self._runs(layer, inputs), self.chosen, strict=True)
        return band_code(layer, [(run, *_codes(run, both)) for run, both in every])

    def _runs(self, layer: Fused, inputs: Inputs) -> list[Run]:
        return list(runs(known(bands(layer, inputs, self.rows))))


def band_options(
    pair: Fused,
    inputs: Inputs,
    destination: Destination,
    choice: KernelChoice | None,
    most_cycles: float = math.inf,
    most_bytes: float = math.inf,
) -> list[Option]:
    """The cheapest first; none that takes no less memory than a cheaper one. None where no band fits.

    Shorter bands take longer: where some take more than `most_cycles`, none that are shorter are looked at. Nor are
    those between whose layers lie more than `most_bytes`.
    """
    found: list[Option] = []
    for rows in lengths(pair, most_bytes):
        longer = _of_length(pair, inputs, rows, destination, choice, most_cycles)
        if longer is None:
            break
        found += longer
    found.sort(key=lambda option: (option.cycles, option.ram_bytes))
    kept: list[Option] = []
    for option in found:
        if not kept or option.ram_bytes < kept[-1].ram_bytes:
            kept.append(option)
    return kept


def _of_length(
    pair: Fused, inputs: Inputs, rows: int, destination: Destination, choice: KernelChoice | None, most_cycles: float
) -> list[Option] | None:
    """What is good for most bands is taken for all, as far as it fits the first and the last. None: too slow."""
    found = bands(pair, inputs, rows)
    if found is None:
        return []
    every = list(runs(found))
    most = max(range(len(every)), key=lambda index: every[index].times)
    try:
        firsts, seconds = (_able(options(*layer, destination, choice)) for layer in _layers(every[most].band))
    except ConfigurationError:  # a kernel that was named does not run so few rows
        return []
    if not firsts or not seconds:  # those that were named do not run bands
        return []

    def together(first: Option, second: Option) -> Option:
        chosen = tuple(_of_band(run.band, (first, second), destination.core) for run in every)
        kernel = Bands(f"{first.kernel.NAME}{JOINED}{second.kernel.NAME}", rows, chosen)
        cycles = kernel.cost(pair, inputs, DEFAULT, destination.memory)
        return Option(kernel, Variant(len(found)), cycles, pair, inputs)

    spare = most_cycles - together(firsts[0], seconds[0]).cycles
    if spare < 0:
        return None
    firsts, seconds = (_worth_it(several, several[0].cycles + spare) for several in (firsts, seconds))
    made = []
    for first in firsts:
        second = next((one for one in seconds if one.scratch_bytes <= first.scratch_bytes), seconds[-1])
        made.append(together(first, second))
    return [option for option in made if option.cycles <= most_cycles]


def _able(several: Sequence[Option]) -> list[Option]:
    """With the bits of plain C."""
    return [option for option in several if not opt_in(option.kernel) and not option.variant.compact]


def _worth_it(several: Sequence[Option], most_cycles: float) -> list[Option]:
    """The fastest, and whatever takes less scratch memory than what is faster."""
    looked_at: dict[str, int] = {}
    kept: list[Option] = []
    for option in several:
        if option.cycles > most_cycles:
            break
        name = option.kernel.NAME
        if looked_at.get(name, 0) == MOST_VARIANTS:
            continue
        looked_at[name] = looked_at.get(name, 0) + 1
        if not kept or option.scratch_bytes < kept[-1].scratch_bytes:
            kept.append(option)
    return kept


def _of_band(band: Band, both: tuple[Option, Option], core: str | None) -> Both:
    """Of each layer the kernel and the variant of most bands, else the nearest one that fits: plain C always does."""
    first, second = (_fitting(*layer, option, core) for layer, option in zip(_layers(band), both, strict=True))
    return first, second


def _fitting(layer: Layer, inputs: Inputs, option: Option, core: str | None) -> tuple[Kernel, Variant]:
    kernel = option.kernel if why_no_kernel(option.kernel, layer, inputs, core) is None else plain
    offered = getattr(kernel, "variants", None)
    variants = offered(layer, inputs) if offered else (DEFAULT,)
    return kernel, option.variant if option.variant in variants else variants[-1]


def _layers(band: Band) -> tuple[tuple[Layer, Inputs], tuple[Layer, Inputs]]:
    return (band.first, band.inputs[:1]), (band.second, band.inputs_of_second)


def _cost(run: Run, both: Both, memory: Memory) -> float:
    every = zip(_layers(run.band), both, strict=True)
    return sum(kernel.cost(*layer, variant, memory) for layer, (kernel, variant) in every)


def _codes(run: Run, both: Both) -> tuple[LayerCode, LayerCode]:
    every = zip(_layers(run.band), both, strict=True)
    first, second = (kernel.code(*layer, variant) for layer, (kernel, variant) in every)
    return first, second


class Pieces:
    """Constants and routines of all parts, those that are equal once."""

    def __init__(self) -> None:
        self.constants: dict[str, Constant] = {}
        self.routines: dict[str, Routine] = {}
        self.files: dict[str, str] = {}
        self._roles: dict[tuple[str, str, bytes], str] = {}

    def take(self, part: str, code: LayerCode) -> dict[str, str]:
        """-> what each of its constants is called here."""
        self.routines |= {routine.name: routine for routine in code.routines}
        self.files |= code.files
        return {constant.role: self._role(part, constant) for constant in code.constants}

    def _role(self, part: str, constant: Constant) -> str:
        content = (constant.ctype, constant.values.dtype.str, constant.values.tobytes())
        if content not in self._roles:
            role, count = f"{part}_{constant.role}", 1
            while role in self.constants:
                count += 1
                role = f"{part}_{constant.role}_{count}"
            self._roles[content] = role
            self.constants[role] = replace(constant, role=role)
        return self._roles[content]


def band_code(pair: Fused, parts: Sequence[tuple[Run, LayerCode, LayerCode]]) -> LayerCode:
    """`parts`: the code of both layers for each run of bands.

    What the first computes of a band lies at the beginning of the scratch memory, that of its kernels behind it.
    """
    between = max(run.band.first.output_bytes for run, _, _ in parts)
    between = -(-between // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
    pieces, calls = Pieces(), list[KernelCall | Repeated]()
    for run, first, second in parts:
        inner = {"scratch": f"(uint8_t *)scratch + {between}"}
        named = pieces.take("first", first) | inner | _first_arguments(pair, run)
        made = [renamed(call, named) for call in first.calls]
        named = pieces.take("second", second) | inner | _second_arguments(pair, run)
        made += [renamed(call, named) for call in second.calls]
        calls += [Repeated(tuple(made), run.times)] if run.times > 1 else made
    return LayerCode(
        calls=tuple(calls),
        constants=tuple(pieces.constants.values()),
        scratch_bytes=between + max(code.scratch_bytes for _, *both in parts for code in both),
        files=pieces.files,
        routines=tuple(pieces.routines.values()),
        code_bytes=sum(LOOP_BYTES + first.code_bytes + second.code_bytes for _, first, second in parts),
    )


def _first_arguments(pair: Fused, run: Run) -> dict[str, str]:
    entry = _at(_source(pair, pair.first.inputs[0]), run.band.entry, run.entry_step)
    return {"input": entry, "output": f"({BETWEEN}"}


def _second_arguments(pair: Fused, run: Run) -> dict[str, str]:
    def read(name: str) -> str:
        if name == pair.first.name:
            return f"(const {BETWEEN}"
        return _at(_source(pair, name), run.band.output, run.output_step)

    every = [read(name) for name in pair.second.inputs]
    named = {f"inputs[{index}]": text for index, text in enumerate(every)}
    named |= {"inputs": f"(const number_t *const[]){{{', '.join(every)}}}"} if len(every) > 1 else {"input": every[0]}
    return named | {"output": _at("output", run.band.output, run.output_step)}


def _source(pair: Fused, name: str) -> str:
    return f"inputs[{pair.inputs.index(name)}]" if len(pair.inputs) > 1 else "input"


def _at(array: str, start: int, step: int) -> str:
    return f"{array}{f' + {start}' if start else ''}{f' + {PART} * {step}' if step else ''}"
