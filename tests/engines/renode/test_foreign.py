"""Firmware of others in Renode: profiled as in QEMU, with the chip's own clocks, UART and interrupts around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcusim.boards.load import load_board
from mcusim.engines.engine import Engine
from mcusim.engines.qemu import engine as qemu
from mcusim.engines.renode import engine as renode
from mcusim.engines.renode.installation import find_installation
from mcusim.system.errors import EngineError
from mcusim.timing.parameters import CORTEX_M4F
from mcusim.timing.profile import Profile, price_recording
from mcusim.timing.recording import record
from tests.engines.freertos_firmware import build_freertos
from tests.engines.qemu.bare_firmware import build_bare
from tests.engines.qemu.test_calls import PROGRAM, ways
from tests.engines.qemu.test_foreign import ENDLESS, HEAD, TASKS
from tests.jobs import run_foreign

pytestmark = [pytest.mark.renode, pytest.mark.arm, pytest.mark.usefixtures("warm")]
NUCLEO = load_board("nucleo_l452re_p")


def profiled(engine: Engine, elf: Path, start: str, folder: Path, **options: Any) -> tuple[Profile, tuple[str, ...]]:
    execution = run_foreign(engine, elf, NUCLEO, start, folder / engine.FACTS.name, **options)
    assert execution.counts is not None
    recording = record(execution.counts, elf, NUCLEO.name)
    return price_recording(recording, NUCLEO.chip, NUCLEO.clock_hz, CORTEX_M4F), execution.notes


def demand_same(elf: Path, start: str, folder: Path, **options: Any) -> Profile:
    """In both engines, down to lines and to the way to each function."""
    ours, _ = profiled(renode, elf, start, folder, **options)
    theirs, _ = profiled(qemu, elf, start, folder, **options)
    assert ours.cycles.tolist() == theirs.cycles.tolist() and len(ours.cycles)
    assert ours.by_line == theirs.by_line and ours.by_function == theirs.by_function
    assert ours.costs.calls == theirs.costs.calls and ours.problems == theirs.problems
    return ours


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_bare(tmp_path_factory.mktemp("calls"), {"main.c": PROGRAM})


@pytest.mark.parametrize("start", ["work", "odd", "jumper", "calls_ram", "main"])
def test_calls_as_in_qemu(calls: Path, start: str, tmp_path: Path) -> None:
    """Tail calls, recursion, longjmp, code in RAM; `main` is there with SysTick, whose interrupts are not its own."""
    assert ways(demand_same(calls, start, tmp_path, stall_s=20))


def test_other_tasks_as_in_qemu(tmp_path: Path) -> None:
    elf = build_bare(tmp_path, {"main.c": HEAD + TASKS}, "-mgeneral-regs-only")
    profile = demand_same(elf, "work", tmp_path, stall_s=20)
    besides = profile.costs.outside_cycles
    assert besides["(other tasks) other"] > 100 and besides["(interrupts) PendSV_Handler"] > 20


# As ST's HAL does it: a clock and a UART that are polled, then characters by interrupt, and SysTick. QEMU, whose flash
# holds 0 where nothing was put, goes past all that.
SET_UP = """
static const char *next = "sent by an interrupt each";
volatile int ticks, characters;
void SysTick_Handler(void) { ticks++; }
void USART2_IRQHandler(void) {
    if (*next) { REGISTER(0x40004428) = *next++; characters++; } else { REGISTER(0x40004400) &= ~0x80u; }
}
APART void wait_for(uint32_t address, uint32_t bit) { while (!(REGISTER(address) & bit)) { } }
APART void set_up(void) {
    REGISTER(0x40021000) |= 1u << 8; wait_for(0x40021000, 1u << 10);
    REGISTER(0x40021008) = 1; wait_for(0x40021008, 4);
    REGISTER(0x40021058) |= 1u << 17;
    REGISTER(0x4000440C) = 417; REGISTER(0x40004400) = 0xD; wait_for(0x4000441C, 1u << 21);
    wait_for(0x4000441C, 1u << 7); REGISTER(0x40004428) = 'x'; wait_for(0x4000441C, 1u << 6);
    REGISTER(0xE000E018) = 0; REGISTER(0xE000E014) = 999; REGISTER(0xE000E010) = 7;
    REGISTER(0xE000E104) = 1u << (38 - 32);
}
APART int part(int n) { for (int i = 0; i < n; i++) { sink += i; } return sink; }
APART void work(void) { for (int i = 0; i < 500; i++) { part(i & 15); } }
int main(void) {
    int on_the_chip = REGISTER(0x0807F000) != 0;
    static void *vectors[64] __attribute__((aligned(256)));
    for (int i = 0; i < 16; i++) { vectors[i] = ((void **)0x08000000)[i]; }
    vectors[16 + 38] = USART2_IRQHandler;
    REGISTER(0xE000ED08) = (uint32_t)vectors;
    if (on_the_chip) { set_up(); }
    for (int i = 0; i < 3; i++) {
        if (on_the_chip) { REGISTER(0x40004400) |= 0x80u; }
        work();
    }
    return characters;
}
"""


def test_a_program_on_the_chips_clocks_and_interrupts(tmp_path: Path) -> None:
    elf = build_bare(tmp_path, {"main.c": HEAD + SET_UP})
    alone, _ = profiled(qemu, elf, "work", tmp_path)
    profile, notes = profiled(renode, elf, "work", tmp_path, stall_s=20)
    assert profile.cycles.tolist() == alone.cycles.tolist() and len(alone.cycles) == 3
    assert profile.by_line == alone.by_line and profile.costs.calls == alone.costs.calls
    assert profile.costs.outside_cycles["(interrupts) SysTick_Handler"] > 50 and not alone.costs.outside_cycles
    assert notes == find_installation().notes


def test_a_function_of_a_task_of_freertos(tmp_path: Path) -> None:
    """Its first call is from main(), where nothing else runs; the four others are a task's."""
    profile, _ = profiled(renode, build_freertos(tmp_path), "work", tmp_path, stall_s=20)
    assert (
        len(profile.cycles) == 5
        and len(set(profile.cycles.tolist())) == 1
        and len(set(profile.core_cycles.tolist())) == 1
    )
    besides = profile.costs.outside_cycles
    assert {"(interrupts) SysTick_Handler", "(interrupts) PendSV_Handler", "(other tasks) consume"} <= set(besides)
    assert set(profile.by_function) == {"work", "step"}


def test_a_call_that_never_returns_is_measured_as_far_as_it_got(tmp_path: Path) -> None:
    elf = build_bare(tmp_path, {"main.c": HEAD + ENDLESS})
    profile, notes = profiled(renode, elf, "work", tmp_path, stall_s=1)
    assert len(profile.cycles) == 1 and set(profile.by_function) == {"work", "part", "add"}
    assert any("had not returned" in problem for problem in profile.problems) and "after 1 s" in notes[-1]


def refused(folder: Path, text: str, start: str = "work", stall_s: float = 1.0) -> EngineError:
    elf = build_bare(folder, {"main.c": HEAD + text})
    with pytest.raises(EngineError) as caught:
        run_foreign(renode, elf, NUCLEO, start, folder / "run", stall_s=stall_s)
    assert caught.value.hint
    return caught.value


def test_what_does_not_end_is_told(tmp_path: Path) -> None:
    polls = "APART void work(void) { while (!(REGISTER(0x40024000) & 2)) { } } int main(void) { work(); return 0; }"
    error = refused(tmp_path / "polls", polls)
    assert "in another one: it polls 0x40024000 in 'work' (main.c:6)" in error.what
    faults = 'APART void work(void) { sink++; } int main(void) { __asm__ volatile("udf 1"); work(); return 0; }'
    error = refused(tmp_path / "faults", faults)
    assert "'Default_Handler' (start_up.c:8) since a fault: undefined instruction" in error.what
    never = "APART void work(void) { sink++; } int main(void) { if (sink) { work(); } return 0; }"
    assert "'work' was never called, it ended in" in refused(tmp_path / "never", never, stall_s=20).what
    opens = """APART void work(void) {
    static const char name[] = "data.bin"; static const uint32_t block[] = {(uint32_t)name, 1, 8};
    register uint32_t call __asm__("r0") = 1; register const uint32_t *at __asm__("r1") = block;
    __asm__ volatile("bkpt 0xab" : "+r"(call) : "r"(at) : "memory");
} int main(void) { work(); return 0; }"""
    assert "opens the file 'data.bin', and Renode has none" in refused(tmp_path / "opens", opens, stall_s=20).what
