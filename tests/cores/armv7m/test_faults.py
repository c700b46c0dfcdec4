"""What a firmware can do wrong, done on purpose, and what the user is told."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import board_names
from mcusim.cores.armv7m.faults import Fault, describe_cause, parse_fault
from mcusim.engines.engine import Engine
from mcusim.engines.qemu import engine as qemu
from mcusim.engines.renode import engine as renode
from mcusim.line.emit import CODE_RAM
from mcusim.line.sources import Sources
from mcusim.system.errors import EngineError
from tests.every_board import board_with
from tests.jobs import run
from tests.tiny_library import build_library, library, samples

ARM, RENODE = pytest.mark.arm, pytest.mark.renode
pytestmark = pytest.mark.usefixtures("warm")

_DECLARATIONS = """
static volatile int zero = 0;
static int input_index;

static int depth(volatile int *below)
{
    volatile int frame[16];
    frame[0] = *below + 1;
    return frame[0] > 1000000 ? 0 : depth(frame) + frame[0];
}

__attribute__((noinline)) static void big_frame(number_t *output)
{
    volatile number_t buffer[6000];
    buffer[input_index] = 1;
    output[0] = buffer[input_index];
}

__attribute__((noinline)) static void call(uintptr_t address)
{
    ((void (*)(void))address)();
}
"""

# Statement, words of the error, place in the source.
FAULTS = {
    "recursion": (
        "output[0] = (number_t)depth(&zero);",
        "stack overflow (it has 4096 bytes)",
        "depth or what it calls",
    ),
    "big frame": ("big_frame(output);", "stack overflow (it has 4096 bytes)", "cnn or what it calls"),
    "division": ("output[0] = (number_t)(7 / zero);", "division by zero", "cnn (model.c:"),
    "null call": ("call(0);", "called a null function pointer", "called by cnn (model.c:"),
    "even call": ("call((uintptr_t)cnn & ~1u);", "without the Thumb bit", "cnn (model.c:"),
    "call into ram": ("call(0x20001001);", "there is no code", "called by cnn (model.c:"),
    "call nowhere": ("call(0x60000001);", "there is no", "called by cnn (model.c:"),
    "write to flash": ("*(volatile number_t *)(uintptr_t)dense_kernel = 1;", "wrote to flash", "cnn (model.c:"),
    "write nowhere": ("*(volatile int *)0x30000000 = 1;", "the address is 0x30000000", "cnn (model.c:"),
    "read nowhere": ("output[0] = *(volatile number_t *)0x18000000;", "the address is 0x18000000", "cnn (model.c:"),
    "write beyond ram": ("*(volatile int *)BEYOND_RAM = 1;", "the address is 0x{beyond:08x}", "cnn (model.c:"),
    "undefined": ('__asm__ volatile("udf #0");', "undefined instruction", "cnn (model.c:"),
    "double": ('__asm__ volatile(".inst.w 0xee310b02");', "undefined instruction", "cnn (model.c:"),
    "supervisor call": ('__asm__ volatile("svc #1");', "unexpected exception SVCall", "cnn (model.c:"),
    "fpu off": (
        '*(volatile uint32_t *)0xE000ED88 = 0; __asm__ volatile("dsb\\n isb\\n vmov s0, r0" ::: "s0");',
        "used the FPU while it is off",
        "cnn (model.c:",
    ),
}
FAULTY_SAMPLE = 5
IN_TWO_JOBS = "undefined"  # in Renode, where a job takes as long as a case; QEMU does all of them so
WITHOUT_DOUBLES = ("cortex-m4",)

# Renode 1.16 does these: it has no trap for a division by zero, and its Cortex-M4 has doubles.
NOT_IN_RENODE = ("division", "double")
# And tells these otherwise: a branch faults before it is taken, the first fault of an overflow is seen as it happens.
IN_RENODE = {
    "null call": ("without the Thumb bit", "call (model.c:"),
    "recursion": ("stack overflow (it has 4096 bytes)", "depth (model.c:"),
    "big frame": ("stack overflow (it has 4096 bytes)", "big_frame (model.c:"),
}


def beyond_ram(board: Board, engine: Engine) -> int:
    """Where neither the board has RAM nor what stands in for it."""
    assert engine.FACTS.memory_map is not None
    return max(0x20060000, engine.FACTS.memory_map(board).ram.end)


def faulty_library(beyond: int) -> Sources:
    """One firmware with every fault: the first element of the input says which."""
    cases = " ".join(f"case {100 + i}: {statement} break;" for i, (statement, _, _) in enumerate(FAULTS.values()))
    return library(f"switch (input[0]) {{ {cases} default: break; }}", f"#define BEYOND_RAM {beyond}\n{_DECLARATIONS}")


CASES = [
    *(pytest.param(qemu, name, marks=ARM, id=f"qemu-{name}") for name in FAULTS),
    *(pytest.param(renode, name, marks=RENODE, id=f"renode-{name}") for name in FAULTS if name not in NOT_IN_RENODE),
]


@pytest.mark.parametrize("board_name", board_names())
@pytest.mark.parametrize(("engine", "name"), CASES)
def test_fault_is_named_with_sample_and_line(
    engine: Engine, name: str, board_name: str, build_folder: Path, tmp_path: Path
) -> None:
    board = board_with(board_name, engine.FACTS.name)
    if name == "double" and board.chip.core not in WITHOUT_DOUBLES:
        pytest.skip(f"an emulated {board.chip.core} may have doubles")
    _, cause, place = FAULTS[name]
    if engine is renode:
        cause, place = IN_RENODE.get(name, (cause, place))
    beyond = beyond_ram(board, engine)
    cause = cause.format(beyond=beyond)
    firmware = build_library(faulty_library(beyond), board, build_folder, engine.FACTS.name)
    inputs = samples(8)
    inputs[FAULTY_SAMPLE, 0] = 100 + list(FAULTS).index(name)
    with pytest.raises(EngineError) as caught:
        run(engine, firmware, board, inputs, tmp_path, jobs=2 if engine is qemu or name == IN_TWO_JOBS else 1)
    assert caught.value.what.startswith(f"the firmware faulted in sample {FAULTY_SAMPLE}: ")
    assert cause in caught.value.what
    where = caught.value.where
    assert where is not None
    if "MSTKERR" in where:  # the core could not write down where it was, as Renode after 1.16.1 finds too
        place = FAULTS[name][2]
    assert place in where
    assert "mcusim_infer (infer.c:" in where or name == "recursion"


ENGINES = [pytest.param(qemu, marks=ARM, id="qemu"), pytest.param(renode, marks=RENODE, id="renode")]


@pytest.mark.parametrize("engine", ENGINES)
def test_registers_are_those_of_the_fault(engine: Engine, nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    values = " ".join(f"mov r{i}, #{0x10 + i}\\n" for i in range(12))
    firmware = build_library(library(f'__asm__ volatile("{values} udf #0");'), nucleo, build_folder, engine.FACTS.name)
    with pytest.raises(EngineError) as caught:
        run(engine, firmware, nucleo, samples(1), tmp_path)
    assert caught.value.where is not None
    for i in range(12):
        assert f"r{i} {0x10 + i:08x}" in caught.value.where


@pytest.mark.parametrize("engine", ENGINES)
def test_whole_stack_reserved_is_usable(engine: Engine, nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    """Recursion that stays a little within the limit is no fault, and its depth is what is reported."""
    declarations = """
__attribute__((noinline)) static int depth(int n)
{
    volatile int frame[15];
    frame[0] = n;
    return n == 0 ? 0 : depth(n - 1) + frame[0];
}
"""
    sources = library("output[0] = (number_t)depth(input[1] & 15);", declarations)
    firmware = build_library(sources, nucleo, build_folder, engine.FACTS.name)
    inputs = samples(4)
    used = []
    for deepest in (1, 11):
        inputs[:, 1] = deepest
        used.append(run(engine, firmware, nucleo, inputs, tmp_path).stack_bytes)
    assert used[0] is not None and used[1] is not None
    assert (used[1] - used[0]) % 10 == 0 and 600 <= used[1] - used[0] <= 1000


def in_code_ram(statement: str) -> Sources:
    """A library with a function that runs from RAM."""
    work = f'__attribute__((noinline, section(".nn_ram_code"))) static void work(number_t *y) {{ {statement} }}'
    return Sources({**library("work(output);", work).files, CODE_RAM: ""})


@pytest.mark.parametrize("engine", ENGINES)
def test_code_in_ram_has_a_name(engine: Engine, nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    sources = in_code_ram('*y = 1; __asm__ volatile("udf #0");')
    firmware = build_library(sources, nucleo, build_folder, engine.FACTS.name)
    with pytest.raises(EngineError) as caught:
        run(engine, firmware, nucleo, samples(1), tmp_path)
    assert str(caught.value.where).startswith("work (model.c:"), caught.value.where


@ARM
def test_memory_that_the_machine_has_not_is_told_of_the_board_file(
    nucleo: Board, build_folder: Path, tmp_path: Path
) -> None:
    """The board has it, and nothing stands in for it."""
    assert nucleo.qemu is not None and nucleo.memory.code_ram is not None
    board = nucleo.model_copy(update={"qemu": nucleo.qemu.model_copy(update={"code_ram": None})})
    firmware = build_library(in_code_ram("*y = 1;"), board, build_folder, "qemu")
    with pytest.raises(EngineError, match="where there is nothing; the address is 0x10000000") as caught:
        run(qemu, firmware, board, samples(1), tmp_path)
    assert "the board file has code_ram there" in str(caught.value.hint) and "[qemu]" in str(caught.value.hint)


def fault(**changes: int) -> Fault:
    words = dict(cfsr=0, hfsr=0, mmfar=0, bfar=0) | changes
    return Fault(exception=3, samples_done=0, registers={"sp": 0x20000800, "pc": 0x08000100}, stack=(), **words)


def test_every_cause_has_words(nucleo: Board) -> None:
    memory = nucleo.memory
    for bit in (0, 1, 3, 4, 5, 8, 9, 10, 11, 12, 13, 16, 17, 18, 19, 24, 25):
        assert describe_cause(fault(cfsr=1 << bit), memory) != describe_cause(fault(), memory)
    assert describe_cause(fault(hfsr=1 << 31), memory) == "breakpoint instruction"
    assert describe_cause(fault(hfsr=1 << 1), memory) == "cannot read the vector table"
    assert describe_cause(fault(), memory) == "unexpected exception HardFault"
    assert describe_cause(fault(cfsr=1 << 9 | 1 << 15, bfar=0x1FFFFFF0), memory).startswith("stack overflow")


def test_a_record_cut_short_is_none() -> None:
    record = struct.pack("<26I", 0x544C4146, 6, 7, 1, *range(22))
    whole = parse_fault(record + bytes(8))
    assert whole is not None and whole.samples_done == 7 and whole.stack == (0, 0)
    assert parse_fault(record[:-1]) is None
    assert parse_fault(bytes(len(record))) is None
    assert parse_fault(b"") is None


@ARM
def test_lockup_is_decoded(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    """A fault while the core cannot take one (here: FAULTMASK set, as in a fault handler)."""
    firmware = build_library(library('__asm__ volatile("cpsid f\\n udf #0");'), nucleo, build_folder, "qemu")
    with pytest.raises(EngineError) as caught:
        run(qemu, firmware, nucleo, samples(1), tmp_path)
    assert caught.value.what.startswith("the core locked up in sample 0: ")
    assert caught.value.where is not None
    assert "cnn (model.c:" in caught.value.where and "R15=" in caught.value.where
    assert not list(tmp_path.rglob("core*"))
