"""A hand-written library, as small as one can be, in place of a generated one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from mcusim.boards.board import Board
from mcusim.engines import ENGINES
from mcusim.line.build import Firmware
from mcusim.line.sources import Sources
from mcusim.workloads.generated import make_firmware

INPUTS, OUTPUTS = 16, 4

_NUMBER_H = "#include <stdint.h>\ntypedef int8_t number_t;\n"
_MODEL_H = f"""\
#include "number.h"
#define MODEL_INPUT_ELEMENTS {INPUTS}
#define MODEL_OUTPUT_ELEMENTS {OUTPUTS}
void cnn(const number_t input[MODEL_INPUT_ELEMENTS], number_t output[MODEL_OUTPUT_ELEMENTS]);
"""
_MODEL_C = """\
#include "model.h"

static const number_t dense_kernel[4][16] = {
    {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, {3, 1, 4, 1, 5, 9, 2, 6}, {-1}, {0, 0, 0, 100},
};
static int32_t arena[4];

%s
void cnn(const number_t input[MODEL_INPUT_ELEMENTS], number_t output[MODEL_OUTPUT_ELEMENTS])
{
    %s
    for (int o = 0; o < 4; o++) {
        arena[o] = 0;
        for (int i = 0; i < 16; i++) {
            arena[o] += input[i] * dense_kernel[o][i];
        }
        output[o] = (number_t)(arena[o] >> 6);
    }
}
"""


def library(statement: str = "", declarations: str = "") -> Sources:
    """A dense layer of 16 inputs and 4 outputs; `statement` comes first in cnn(), `declarations` before it."""
    return Sources({"number.h": _NUMBER_H, "model.h": _MODEL_H, "model.c": _MODEL_C % (declarations, statement)})


_ASSEMBLY_H = """\
#include "model.h"
void nn_dense_assembly(const number_t *input, number_t *output);
number_t nn_sum(const number_t *input);
"""
_ASSEMBLY = """\
    .syntax unified
    .section .text.nn_dense_assembly, "ax"
    .balign 4
    .global nn_dense_assembly
    .type nn_dense_assembly, %function
    .thumb_func
nn_dense_assembly:              @ r0 input, r1 output
    push    {r4, lr}
    ldr     r4, =weights
    ldrsb   r2, [r0]
    ldrsb   r3, [r4]
    muls    r2, r3, r2
    strb    r2, [r1]
    ldrsb   r2, [r0, #MODEL_INPUT_ELEMENTS - 1]
    ldrsb   r3, [r4, #1]
    muls    r2, r3, r2
    strb    r2, [r1, #1]
    pop     {r4, pc}
    .size nn_dense_assembly, . - nn_dense_assembly
    .ltorg

    .section .rodata.weights, "a"
weights:
    .byte 3, -1
    .size weights, . - weights
    .type weights, %object
"""
_OTHER_C = """\
#include "kernels.h"

static const number_t offsets[2] = {5, 7};

number_t nn_sum(const number_t *input)
{
    return (number_t)(input[1] + offsets[input[2] & 1]);
}
"""
_CALLER_C = """\
#include "kernels.h"

void cnn(const number_t input[MODEL_INPUT_ELEMENTS], number_t output[MODEL_OUTPUT_ELEMENTS])
{
    nn_dense_assembly(input, output);
    output[2] = nn_sum(input);
    output[3] = 0;
}
"""


def library_of_files() -> Sources:
    """A model of several files: C that calls a kernel in assembly and one in another C file, each with weights."""
    assembly = f"#define MODEL_INPUT_ELEMENTS {INPUTS}\n{_ASSEMBLY}"
    files = {"number.h": _NUMBER_H, "model.h": _MODEL_H, "kernels.h": _ASSEMBLY_H, "model.c": _CALLER_C}
    return Sources({**files, "model_int8.c": _OTHER_C, "nn_dense.S": assembly})


def expected_of_files(inputs: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    first, last = inputs[:, 0].astype(np.int32) * 3, -inputs[:, -1].astype(np.int32)
    sums = inputs[:, 1].astype(np.int32) + np.where(inputs[:, 2] & 1, 7, 5)
    return np.stack([first, last, sums, np.zeros_like(sums)], axis=1).astype(np.int8)


def expected(inputs: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    kernel = np.zeros((4, 16), dtype=np.int32)
    kernel[0] = np.arange(1, 17)
    kernel[1, :8] = (3, 1, 4, 1, 5, 9, 2, 6)
    kernel[2, 0] = -1
    kernel[3, 3] = 100
    outputs: npt.NDArray[np.int8] = (inputs.astype(np.int32) @ kernel.T >> 6).astype(np.int8)
    return outputs


def samples(count: int) -> npt.NDArray[np.int8]:
    """Random inputs whose first element is the number of the sample, modulo 128."""
    inputs = np.random.default_rng(count).integers(-128, 128, (count, INPUTS)).astype(np.int8)
    inputs[:, 0] = np.arange(count) % 128
    return inputs


def build_library(sources: Sources, board: Board, folder: Path, engine: str, *, sanitize: bool = False) -> Firmware:
    """As `engine` runs it."""
    return make_firmware(sources, ENGINES[engine].FACTS, board, folder, sanitize=sanitize)
