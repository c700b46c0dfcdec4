"""Runs of bands, each with kernels of its own -> the code of a fused pair.

What the first layer computes of a band lies at the beginning of the scratch memory, that of its kernels behind it.
"""

from collections.abc import Sequence
from dataclasses import replace

from mcusim.kernels.bands.cuts import ALIGNMENT_BYTES, Run
from mcusim.kernels.calls import renamed
from mcusim.layers.fused import Fused
from mcusim.program import PART, Constant, KernelCall, LayerCode, Repeated, Routine

LOOP_BYTES = 24  # of code
BETWEEN = "number_t *)scratch"  # the rows of the first layer


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
    """`parts`: the code of both layers for each run of bands."""
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
