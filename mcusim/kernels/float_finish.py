"""What ends sums of float32 in assembly: activation and store. In C it is nn_limit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcusim.kernels.assembly import Assembly, at, constant, imm
from mcusim.numbers.numbers import Activation

IT_WAIT = 0.6  # cycles of what comes behind an IT, of 16 bits: it is fetched in halves
CEILING_CYCLES, RELU_CYCLES = 4 + IT_WAIT, 2  # for each number
CEILING_BYTES, RELU_BYTES = 14, 6
LIMIT_CYCLES, LIMIT_BYTES = 4, 12  # of the limit, before each `store`
DEFAULT_NAN = 1 << 25  # of FPSCR: every NaN that is computed is the positive one
Output = tuple[str, int]  # a sum in a register, and how many bytes behind the first output it goes


@dataclass(frozen=True)
class FloatFinish:
    """`nn_limit` of float32, for sums that are never -0.0, as theirs begin as a bias that is not.

    A negative number is one whose bits are a negative integer: so is no NaN between `enter` and `leave`.
    """

    activation: Activation

    store_bytes = 4

    @property
    def key(self) -> str:
        ceiling = self.activation.ceiling
        if not self.activation.relu:
            return "linear"
        return "relu" if ceiling is None else f"relu_{np.float32(ceiling).view(np.uint32):08x}"

    @property
    def fields(self) -> dict[str, Any]:
        return dict(self.activation.fields(None))

    @property
    def cycles(self) -> float:
        """Of a number, besides its store."""
        return self.activation.relu * RELU_CYCLES + (self.activation.ceiling is not None) * CEILING_CYCLES

    @property
    def code_bytes(self) -> int:
        """Likewise."""
        return self.activation.relu * RELU_BYTES + (self.activation.ceiling is not None) * CEILING_BYTES

    @property
    def more_cycles(self) -> int:
        """Of several that are stored at once."""
        return LIMIT_CYCLES * (self.activation.ceiling is not None)

    @property
    def more_bytes(self) -> int:
        return LIMIT_BYTES * (self.activation.ceiling is not None)

    def enter(self, a: Assembly, spare: str) -> None:
        """On the stack: FPSCR as it was."""
        if self.activation.relu:
            a.block("From here on no NaN has a sign")
            a("vmrs", spare, "fpscr")
            a("push", f"{{{spare}}}")
            a("orr", spare, spare, imm(DEFAULT_NAN))
            a("vmsr", "fpscr", spare)

    def leave(self, a: Assembly, spare: str) -> None:
        if self.activation.relu:
            a("pop", f"{{{spare}}}")
            a("vmsr", "fpscr", spare)

    def store(
        self,
        a: Assembly,
        sums: Sequence[Output],
        base: str,
        spares: tuple[str, str],
        high: str,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        """Sums become outputs. Two core registers and one of the FPU are lost. `between`: what comes before the last
        stores.
        """
        if self.activation.ceiling is not None:
            constant(a, spares[0], int(np.float32(self.activation.ceiling).view(np.uint32)))
            a("vmov", high, spares[0])
            for name, _ in sums:
                a("vcmp.f32", name, high)
                a("vmrs", "APSR_nzcv", "fpscr")
                a("it", "gt")
                a("vmovgt.f32", name, high)
        if not self.activation.relu:
            for name, offset in sums[:-1]:
                a("vstr", name, at(base, offset))
            between()
            for name, offset in sums[-1:]:
                a("vstr", name, at(base, offset))
            return
        for first in range(0, len(sums), 2):
            pair = sums[first : first + 2]
            used = spares[: len(pair)]
            a("vmov", *used, *(name for name, _ in pair))
            for spare in used:
                a("bic", spare, spare, spare, "asr #31")
            if first + 2 >= len(sums):
                between()
            for spare, (_, offset) in zip(used, pair, strict=True):
                a("str", spare, at(base, offset))
