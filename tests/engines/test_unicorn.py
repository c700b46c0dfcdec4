"""Unicorn: the same answers and counts as QEMU, all memory of the chip, and what goes wrong in it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import board_names, load_board
from mcusim.engines.counts import ACCESS, DATA_HIT, DATA_MISS, FLASH, HALF, ODD, REGION
from mcusim.engines.engine import Execution
from mcusim.engines.qemu import engine as qemu
from mcusim.engines.unicorn import engine as unicorn
from mcusim.engines.unicorn.semihosting import Semihosting
from mcusim.engines.unicorn.worker import between
from mcusim.system.errors import EngineError
from mcusim.timing.parameters import CORTEX_M4F
from mcusim.timing.profile import price_recording
from mcusim.timing.recording import record
from tests.engines.qemu.bare_firmware import build_bare
from tests.engines.qemu.test_engine import MIXED_STATEMENT, MIXED_WORK
from tests.jobs import run, run_foreign
from tests.required import skip_or_fail
from tests.tiny_library import build_library, expected, library, samples

pytestmark = pytest.mark.arm
INT8 = np.dtype("int8")
PLACES = (ACCESS, FLASH, DATA_HIT, DATA_MISS, REGION)
UNALIGNED = (ODD, HALF)
L4R5 = load_board("nucleo_l4r5zi")
HEAD = """
#include <stdint.h>
#define APART __attribute__((noinline, noclone))
#define REGISTER(address) (*(volatile uint32_t *)(address))
volatile int sink;
"""


@pytest.fixture(autouse=True)
def installed() -> None:
    lacking = unicorn.missing()
    if lacking is not None:
        skip_or_fail("unicorn", lacking.what)


def foreign(folder: Path, text: str, board: Board = L4R5, *flags: str, stall_s: float = 30.0) -> Execution:
    elf = build_bare(folder, {"main.c": HEAD + text}, *flags)
    return run_foreign(unicorn, elf, board, "work", folder / "run", stall_s=stall_s)


def test_outputs_and_counts_are_those_of_qemu(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    """Instructions, events and cycles, for any number of processes."""
    inputs = samples(7)
    firmware = build_library(library(MIXED_STATEMENT, MIXED_WORK), nucleo, build_folder, "unicorn")
    plain = run(unicorn, firmware, nucleo, inputs, tmp_path, jobs=2)
    assert plain.complete and plain.stack_bytes and plain.instructions is not None
    theirs = run(qemu, firmware, nucleo, inputs, tmp_path, profile=True)
    ours = [run(unicorn, firmware, nucleo, inputs, tmp_path, jobs=jobs, profile=True) for jobs in (1, 2)]
    assert np.array_equal(plain.answers, theirs.answers)
    for execution in ours:
        assert theirs.instructions is not None and execution.instructions is not None
        assert execution.instructions.tolist() == theirs.instructions.tolist() == plain.instructions.tolist()
        assert np.array_equal(execution.answers, theirs.answers)
        assert events(execution, UNALIGNED) >= events(theirs, UNALIGNED)  # QEMU looks at those that cost a load time
        assert events(execution) == events(theirs)
        told = cycles(theirs, firmware.elf, nucleo)
        assert cycles(execution, firmware.elf, nucleo) == pytest.approx(told, rel=2e-3)  # QEMU cuts long blocks


def events(execution: Execution, kinds: tuple[int, ...] = PLACES) -> set[tuple[int, int, tuple[int, ...]]]:
    """Of instructions: kind, address, how often in each sample."""
    assert execution.counts is not None
    rows = zip(execution.counts.events, execution.counts.event_counts.T.tolist(), strict=True)
    return {(event.kind, event.address, tuple(times)) for event, times in rows if event.kind in kinds}


def cycles(execution: Execution, elf: Path, board: Board) -> list[float]:
    assert execution.counts is not None
    recording = record(execution.counts, elf, board.name)
    found: list[float] = price_recording(recording, board.chip, board.clock_hz, CORTEX_M4F).cycles.tolist()
    return found


@pytest.mark.parametrize("name", board_names())
def test_answers(name: str, build_folder: Path, tmp_path: Path) -> None:
    """Also where a chip has memory among its devices."""
    board, inputs = load_board(name), samples(11)
    firmware = build_library(library(), board, build_folder, "unicorn")
    assert np.array_equal(run(unicorn, firmware, board, inputs, tmp_path).answers.view(INT8), expected(inputs))


def test_all_memory_of_the_chip_is_there(tmp_path: Path) -> None:
    """640 KiB in a row, which no machine of QEMU has; SRAM2 is seen at two addresses; regions are counted apart."""
    text = """
    APART int work(void) { REGISTER(0x20030010) = 77; return REGISTER(0x2009FFFC) + REGISTER(0x10000010); }
    int main(void) { REGISTER(0x2009FFFC) = 5; for (int i = 0; i < 3; i++) { sink = work(); } return sink != 82; }
    """
    execution = foreign(tmp_path, text)
    assert execution.counts is not None and execution.counts.samples == 3 and execution.notes == ()
    regions = {event.block for event in execution.counts.events if event.kind == 4}
    assert {1, 2, 3} <= regions


def test_devices_are_what_memory_leaves() -> None:
    assert [*between([], 0x4000, 0x4000)] == [(0x4000, 0x4000)]
    assert [*between([(0x6000, 0x7000), (0, 0x3000), (0x9000, 0xA000)], 0x4000, 0x4000)] == [
        (0x4000, 0x2000),
        (0x7000, 0x1000),
    ]
    assert [*between([(0x3000, 0x5010), (0x7800, 0x9000)], 0x4000, 0x4000)] == [(0x6000, 0x1000)]
    assert [*between([(0, 0x10000)], 0x4000, 0x4000)] == []


def test_a_polled_register_gives_way_and_is_told(tmp_path: Path) -> None:
    text = """
    APART int work(void) { return REGISTER(0x20000000) != 0; }
    int main(void)
    {
        REGISTER(0x40021000) |= 0x100;
        while (!(REGISTER(0x40021000) & 0x400)) { }
        while (REGISTER(0x40007014) & 0x400) { }
        sink = work();
    }
    """
    execution = foreign(tmp_path, text)
    assert "2 registers, 0x40021000 the most" in execution.notes[0]


def test_random_numbers_are_there_and_the_same_in_every_run(tmp_path: Path) -> None:
    """Of a chip whose file names the registers; a run that finds one number twice in a row never ends."""
    text = """
    APART int work(uint32_t word) { int n = 0; for (uint32_t k = 0; k < (word & 3); k++) n += sink; return n; }
    int main(void)
    {
        for (uint32_t n = 0, before = 0, word; n < 64; n++, before = word) {
            while (!(REGISTER(0x50060804) & 1)) { }
            word = REGISTER(0x50060808);
            while (word == before) { }
            sink = work(word);
        }
    }
    """
    first, second = (foreign(tmp_path / name, text) for name in "ab")
    assert first.counts is not None and second.counts is not None and first.counts.samples == 64
    assert np.array_equal(first.counts.edge_counts, second.counts.edge_counts)
    assert len(np.unique(first.counts.edge_counts, axis=0)) == 4
    assert not first.notes
    other = L4R5.model_copy(update={"chip": L4R5.chip.model_copy(update={"random_numbers": None})})
    with pytest.raises(EngineError, match="within 1 s"):
        foreign(tmp_path / "c", text, other, stall_s=1.0)


def test_conditional_accesses_do_not_disturb_what_follows(tmp_path: Path) -> None:
    """Unicorn 2.1 would leave its IT state behind: the block after it would be skipped."""
    text = """
    static int table[2] = {3, 4};
    APART int work(int n)
    {
        int found = 1;
        __asm__ volatile("cmp %1, #2\\n itt hi\\n ldrhi %0, [%2]\\n strhi %0, [%2, #4]\\n b 1f\\n1:\\n add %0, %0, #1"
                         : "+r"(found) : "r"(n), "r"(table) : "cc", "memory");
        return found;
    }
    int main(void) { int sum = 0; for (int i = 0; i < 6; i++) { sum += work(i); } for (; sum != 18;) { } return 0; }
    """
    assert foreign(tmp_path, text, stall_s=5).counts is not None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("APART void work(void) { for (;;) { sink++; } } int main(void) { work(); }", "a call of 'work' did not end"),
        ("APART void work(void) { } int main(void) { for (;;) { sink++; } work(); }", "no call of 'work' began"),
        ("APART void work(void) { } int main(void) { return 0; }", "'work' was never called"),
        ("APART void work(void) { sink = REGISTER(0x70000000); } int main(void) { work(); }", "ended with a fault"),
        ("APART void work(void) { __builtin_trap(); } int main(void) { work(); }", "ended with a fault"),
    ],
)
def test_firmware_of_others_that_fails(text: str, words: str, tmp_path: Path) -> None:
    keep = "int (*volatile kept)(void) = (int (*)(void))work;"
    with pytest.raises(EngineError) as caught:
        foreign(tmp_path, text.replace("int main", keep + " int main"), stall_s=1.0)
    assert words in caught.value.what and caught.value.hint
    assert ("REGISTER" in text) == ("of 0x70000000" in caught.value.what), "what was there is told with its address"


def test_a_fault(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    fault = build_library(library("if (input[0] == 5) __builtin_trap();"), nucleo, build_folder, "unicorn")
    with pytest.raises(EngineError, match="failed in sample 5: fault: "):
        run(unicorn, fault, nucleo, samples(8), tmp_path)


def test_a_hang(nucleo: Board, build_folder: Path, tmp_path: Path, no_time_before: Callable[[int], None]) -> None:
    hang = build_library(
        library('if (input[0] == 5) for (;;) { __asm__ volatile(""); }'), nucleo, build_folder, "unicorn"
    )
    no_time_before(5)
    with pytest.raises(EngineError, match=r"^no answer to sample 5 within 0\.5 s"):
        run(unicorn, hang, nucleo, samples(8), tmp_path, stall_s=0.5)


def test_ctrl_c(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(
        library('if (input[0] == 5) for (;;) { __asm__ volatile(""); }'), nucleo, build_folder, "unicorn"
    )

    def press(done: int, total: int) -> None:
        if done == 5:
            os.kill(os.getpid(), signal.SIGINT)

    execution = run(unicorn, firmware, nucleo, samples(8), tmp_path, progress=press)
    assert not execution.complete and execution.indices.tolist() == [0, 1, 2, 3, 4]


def test_a_firmware_reaches_no_file_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "own").write_bytes(b"12345")
    memory = bytearray(4096)
    host = Semihosting(
        lambda at, size: bytes(memory[at : at + size]),
        lambda at, data: memory.__setitem__(slice(at, at + len(data)), data),
        "x",
    )

    def opened(name: str, mode: int = 1) -> int:
        memory[100 : 100 + len(name)] = name.encode()
        memory[0:12] = b"".join(word.to_bytes(4, "little") for word in (100, mode, len(name)))
        return host.call(0x01, 0)

    assert [opened(name) for name in ("/etc/passwd", "../x", "..", "link", "", "gone")] == [0xFFFFFFFF] * 6
    assert opened("own") == 1
    memory[0:4] = (1).to_bytes(4, "little")
    assert host.call(0x0C, 0) == 5 and host.call(0x02, 0) == 0 and host.call(0x02, 0) == 0xFFFFFFFF
    assert opened("own", 99) == 0xFFFFFFFF and host.call(0x77, 0) == 0xFFFFFFFF
