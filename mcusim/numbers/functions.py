"""Functions of one number that layers apply to each element: sigmoid, tanh, GELU and their kin.

A `Function` knows itself three times: exactly (float64, what tables of integers are made from), in float32 as C
computes it (`float_functions.py`), and by the facts that choose its integers: its bounds, and the slopes of its ends.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mcusim.numbers import float_functions as single
from mcusim.numbers.numbers import Fields, Range
from mcusim.system.arrays import Array

LARGEST = 3.4028235e38  # of float32: what stands for "no limit"
# Of a range: no integer bit is spent on 1.0 alone, which saturates to the number next to it.
JUST_BELOW_1 = 1 - 2.0**-20
UNIT = Range(0.0, JUST_BELOW_1)
SYMMETRIC = Range(-JUST_BELOW_1, JUST_BELOW_1)

Exact = Callable[..., Array]  # x and parameters -> y, float64
Ends = Callable[..., tuple[float, float]]  # parameters -> slopes far to the left and far to the right


@dataclass(frozen=True)
class Definition:
    """`kind`: as Keras spells the layer. `parameters`: their names in C. `bounds`: of y, where it has any."""

    kind: str
    exact: Exact
    single: Exact
    parameters: tuple[str, ...] = ()
    bounds: Range | None = None
    ends: Ends = lambda *parameters: (0.0, 0.0)


@dataclass(frozen=True)
class Function:
    """`nn_<name>(x, parameters)` of codegen/numbers/functions.h."""

    name: str
    parameters: tuple[float, ...] = ()

    @property
    def kind(self) -> str:
        return FUNCTIONS[self.name].kind

    @property
    def bounds(self) -> Range | None:
        """Of its values, where the function has any: then it needs no samples to tell."""
        return FUNCTIONS[self.name].bounds

    @property
    def slopes(self) -> tuple[float, float]:
        """Of the lines that it comes near to for x far below and far above 0."""
        return FUNCTIONS[self.name].ends(*self._rounded)

    def exact(self, x: Array) -> Array:
        """The true function, with the parameters that C is given. Float64."""
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            return np.asarray(FUNCTIONS[self.name].exact(np.asarray(x, np.float64), *self._rounded))

    def apply(self, x: Array) -> Array:
        """Float32, the bits of C."""
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            return np.asarray(FUNCTIONS[self.name].single(np.asarray(x, np.float32), *self.parameters), np.float32)

    @property
    def fields(self) -> Fields:
        """Of a kernel's parameters: which function, and its own."""
        named = zip(FUNCTIONS[self.name].parameters, map(np.float32, self.parameters), strict=True)
        return {"function": f"NN_{self.name.upper()}", **dict(named)}

    @property
    def _rounded(self) -> tuple[float, ...]:
        return tuple(float(np.float32(value)) for value in self.parameters)


def _sigmoid(x: Array) -> Array:
    return np.asarray(np.where(x < 0, np.exp(-np.abs(x)), 1) / (1 + np.exp(-np.abs(x))))


def _softplus(x: Array) -> Array:
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def _elu(x: Array, alpha: float) -> Array:
    return np.asarray(np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x))


def _gelu(x: Array) -> Array:
    complement = np.vectorize(math.erfc, otypes=[np.float64])
    return np.asarray(x * complement(-x / math.sqrt(2)) / 2)


def _gelu_tanh(x: Array) -> Array:
    return np.asarray(x * _sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _threshold_relu(x: Array, slope: float, threshold: float, low: float, high: float) -> Array:
    return np.asarray(np.clip(np.where(x > threshold, x, 0), low, high) + slope * np.minimum(x - threshold, 0))


def _threshold_ends(slope: float, threshold: float, low: float, high: float) -> tuple[float, float]:
    return slope, 0.0 if high < LARGEST else 1.0


def _hard_sigmoid(x: Array, slope: float) -> Array:
    return np.clip(slope * x + 0.5, 0, 1)


def _flat_to_line(*parameters: float) -> tuple[float, float]:
    return 0.0, 1.0


SIGMOID, TANH = Function("sigmoid"), Function("tanh")

FUNCTIONS: Mapping[str, Definition] = {
    "celu": Definition("CELU", lambda x, a: a * _elu(x / a, 1.0), single.celu, ("alpha",), None, _flat_to_line),
    "elu": Definition("ELU", _elu, single.elu, ("alpha",), None, _flat_to_line),
    "erf": Definition("Erf", np.vectorize(math.erf, otypes=[np.float64]), single.erf, bounds=SYMMETRIC),
    "exponential": Definition("Exponential", np.exp, single.exponential),
    "gelu": Definition("GELU", _gelu, single.gelu, ends=_flat_to_line),
    "gelu_tanh": Definition("GELU", _gelu_tanh, single.gelu_tanh, ends=_flat_to_line),
    "hard_sigmoid": Definition("HardSigmoid", _hard_sigmoid, single.hard_sigmoid, ("slope",), UNIT),
    "hard_silu": Definition(
        "HardSwish", lambda x, slope: x * _hard_sigmoid(x, slope), single.hard_silu, ("slope",), None, _flat_to_line
    ),
    "hard_tanh": Definition("HardTanh", lambda x: np.clip(x, -1, 1), single.hard_tanh, bounds=SYMMETRIC),
    "leaky_relu": Definition(
        *("LeakyReLU", lambda x, slope: np.where(x < 0, slope * x, x), single.leaky_relu, ("slope",), None),
        ends=lambda slope: (slope, 1.0),
    ),
    "mish": Definition("Mish", lambda x: x * np.tanh(_softplus(x)), single.mish, ends=_flat_to_line),
    "selu": Definition(
        *("SELU", lambda x, alpha, scale: scale * _elu(x, alpha), single.selu, ("alpha", "scale"), None),
        ends=lambda alpha, scale: (0.0, scale),
    ),
    "sigmoid": Definition("Sigmoid", _sigmoid, single.sigmoid, bounds=UNIT),
    "silu": Definition("Swish", lambda x: x * _sigmoid(x), single.silu, ends=_flat_to_line),
    "softplus": Definition("Softplus", _softplus, single.softplus, ends=_flat_to_line),
    "softsign": Definition("Softsign", lambda x: x / (1 + np.abs(x)), single.softsign, bounds=SYMMETRIC),
    "tanh": Definition("Tanh", np.tanh, single.tanh, bounds=SYMMETRIC),
    "threshold_relu": Definition(
        *("ReLU", _threshold_relu, single.threshold_relu, ("slope", "threshold", "low", "high"), None),
        ends=_threshold_ends,
    ),
}
