"""As `squares`, with weights that were transformed before: eight times the flash, and nothing to do in each stripe."""

from mcusim.kernels import squares
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant
from mcusim.kernels.memory import NO_WAITS, Memory
from mcusim.kernels.squares.plan import plan_of
from mcusim.layers.convolution import Convolution
from mcusim.program import LayerCode

NAME = "squares_in_flash"
SUMMARY = "as `squares`, with transformed weights in flash, eight times as large; only where named (Cortex-M4)"
ANY_STORAGE = AFFINE = OPT_IN = NEEDS_DSP = True

fits, variants = squares.fits, squares.variants


def cost(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
    return squares.cost_of(layer, inputs, plan_of(layer, variant.stripes, in_flash=True), memory)


def code(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    return squares.code_of(layer, inputs, plan_of(layer, variant.stripes, in_flash=True))
