"""Firmware of others that hangs, sleeps, faults, prints, switches tasks, needs other memory, or has odd names."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from mcusim.boards.load import load_board
from mcusim.engines import foreign
from mcusim.engines.engine import Execution
from mcusim.engines.qemu import engine as qemu
from mcusim.engines.qemu.foreign import memory_of
from mcusim.engines.qemu.installation import find_qemu
from mcusim.system.errors import ConfigurationError, EngineError
from mcusim.system.toolchain import find_arm_tool
from mcusim.timing.parameters import CORTEX_M4F
from mcusim.timing.profile import Profile, price_recording
from mcusim.timing.recording import record
from tests.engines.qemu.bare_firmware import build_bare
from tests.jobs import run_foreign

pytestmark = pytest.mark.arm
NUCLEO = load_board("nucleo_l452re_p")
HEAD = """
#include <stdint.h>
#define APART __attribute__((noinline, noclone))
#define REGISTER(address) (*(volatile uint32_t *)(address))
volatile int sink;
"""


def run(folder: Path, text: str, start: str, **options: Any) -> Execution:
    elf = build_bare(folder, {"main.c": HEAD + text})
    return run_foreign(qemu, elf, NUCLEO, start, folder / "run", **options)


def refused(folder: Path, text: str, start: str = "work", stall_s: float = 1.0, **options: Any) -> EngineError:
    with pytest.raises(EngineError) as caught:
        run(folder, text, start, stall_s=stall_s, **options)
    assert caught.value.hint
    return caught.value


# ---- What does not end -----------------------------------------------------------------------------------------------

POLLS = """
APART void wait_for_clock(void) { while (!(REGISTER(0x40021000) & 0x2)) { } }
APART void set_up(void) { wait_for_clock(); sink++; }
APART void work(void) { sink++; }
int main(void) { set_up(); work(); return 0; }
"""


def test_a_register_that_never_changes(tmp_path: Path) -> None:
    error = refused(tmp_path, POLLS)
    assert "did not end within 1 s: it polls 0x40021000 (rcc) in 'wait_for_clock' (main.c:7)" in error.what
    assert "'wait_for_clock'" in (error.where or "") and "'set_up' in 'main'" in (error.where or "")


def test_a_flag_that_nobody_sets(tmp_path: Path) -> None:
    error = refused(
        tmp_path, "volatile int done; APART void work(void) { while (!done) { } } int main(void) { work(); }"
    )
    assert "in another one: it is in 'work'" in error.what and "again and again" in error.what


def test_a_sleep_that_nothing_ends(tmp_path: Path) -> None:
    asleep = 'APART void work(void) { for (;;) { __asm__ volatile("wfi"); } } int main(void) { work(); }'
    assert "it sleeps (WFI) in 'work'" in refused(tmp_path, asleep).what


def test_a_fault_whose_handler_does_not_come_back(tmp_path: Path) -> None:
    far = "APART void work(void) { sink = REGISTER(0x60000000); } int main(void) { work(); }"
    error = refused(tmp_path, far)
    assert "since a fault: accessed an address where there is nothing, at 0x60000000" in error.what


ENDLESS = """
static int many[500];
APART int add(int n) { many[n] += n; return n + 1; }
APART int part(int n) { return n < 499 ? add(n) : 0; }
APART void work(void) { for (int n = 0;;) { n = part(n); } }
int main(void) { work(); }
"""


def test_a_call_that_never_returns_is_measured_as_far_as_it_got(tmp_path: Path) -> None:
    execution = run(tmp_path, ENDLESS, "work", stall_s=1)
    assert execution.counts is not None and execution.counts.samples == 1 and not execution.complete
    assert execution.counts.tree is not None and execution.counts.tree.never_returned == 1
    assert execution.notes[-1].startswith("a call of 'work' had not returned after 1 s: it was left in '")


GIVES_UP = """
APART void give_up(void) { for (;;) { } }
APART void wait_for_clock(void) {
    for (int i = 0; !(REGISTER(0x40021000) & 0x2); i++) { if (i > 300000) { give_up(); } }
}
APART void work(void) { sink++; }
int main(void) { wait_for_clock(); work(); return 0; }
"""


def test_what_was_polled_before_it_gave_up_is_told(tmp_path: Path) -> None:
    error = refused(tmp_path, GIVES_UP)
    assert (
        "endless loop in 'give_up' (main.c:7), after it had polled 0x40021000 (rcc) in 'wait_for_clock'" in error.what
    )


def test_how_far_it_is_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "TELL_S", 0.2)
    told: list[str] = []
    refused(tmp_path, POLLS, tell=told.append)
    assert any("0 calls measured, it is in 'wait_for_clock'" in line for line in told)


def test_calls_that_go_on_are_no_hang(tmp_path: Path) -> None:
    """The time is that of one call, not of all."""
    text = "APART void work(void) { sink++; } int main(void) { for (;;) { work(); } }"
    counts = run(tmp_path, text, "work", stall_s=5, calls=50).counts
    assert counts is not None and counts.samples == 50


# ---- What it says and writes -----------------------------------------------------------------------------------------


def test_a_firmware_that_prints_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcusim.engines.foreign.LARGEST_LOG_BYTES", 1 << 20)
    prints = """
APART void work(void) {
    register uint32_t call __asm__("r0") = 4; register const char *text __asm__("r1") = "endless, endless, endless\\n";
    __asm__ volatile("bkpt 0xab" : "+r"(call) : "r"(text) : "memory");
}
int main(void) { for (;;) { work(); } }"""
    assert "printed more than 1 MiB" in refused(tmp_path, prints, stall_s=30).what


# ---- Tasks -----------------------------------------------------------------------------------------------------------

TASKS = """
typedef struct { uint32_t *sp; } task_t;
static task_t tasks[2];
static uint32_t stacks[2][256];
volatile uint32_t current = 2;
volatile int turns;

APART void yield(void) { REGISTER(0xE000ED04) = 1u << 28; __asm__ volatile("dsb; isb"); }
APART int part(int n) { for (int i = 0; i < n; i++) { sink += i; } return sink; }
APART void work(int yields) { part(10); if (yields) { yield(); } part(20); }   /* where both tasks are left */
APART void other(void) { for (;;) { part(30); yield(); part(5); } }
APART void leave_it(void) {
    register uint32_t call __asm__("r0") = 0x18, reason __asm__("r1") = 0x20026;
    __asm__ volatile("bkpt 0xab" :: "r"(call), "r"(reason));
}
APART void first(void) { work(0); work(1); work(1); leave_it(); for (;;) { } }

uint32_t *switch_tasks(uint32_t *sp) {
    if (current < 2) { tasks[current].sp = sp; current ^= 1; } else { current = 0; }
    turns++;
    return tasks[current].sp;
}
__attribute__((naked)) void PendSV_Handler(void) {
    __asm__ volatile("mrs r0, psp\\n stmdb r0!, {r4-r11, lr}\\n bl switch_tasks\\n ldmia r0!, {r4-r11, lr}\\n"
                     "msr psp, r0\\n bx lr");
}
static void make(int number, void (*entry)(void)) {
    uint32_t *sp = &stacks[number][256];
    *--sp = 0x01000000; *--sp = (uint32_t)entry & ~1u; *--sp = 0;            /* xpsr, pc, lr */
    for (int i = 0; i < 5; i++) { *--sp = 0; }                               /* r12, r3 to r0 */
    *--sp = 0xFFFFFFFD;
    for (int i = 0; i < 8; i++) { *--sp = 0; }
    tasks[number].sp = sp;
}
int main(void) {
    static uint32_t nowhere[32];
    make(0, first); make(1, other);
    __asm__ volatile("msr psp, %0" :: "r"(&nowhere[32]));
    yield();
    for (;;) { }
}
"""


def priced(elf: Path, start: str, folder: Path) -> Profile:
    counts = run_foreign(qemu, elf, NUCLEO, start, folder, stall_s=5).counts
    assert counts is not None
    return price_recording(record(counts, elf, NUCLEO.name), NUCLEO.chip, NUCLEO.clock_hz, CORTEX_M4F)


def test_other_tasks_are_told_apart(tmp_path: Path) -> None:
    """A call that is left in its middle for another task, which is left at the same address, costs what is its own."""
    elf = build_bare(tmp_path, {"main.c": HEAD + TASKS}, "-mgeneral-regs-only")
    profile = priced(elf, "work", tmp_path / "run")
    assert len(profile.cycles) == 3
    alone, *disturbed = profile.core_cycles.tolist()
    assert disturbed[0] == disturbed[1] and alone < disturbed[0] < alone + 30  # the rest is yield() itself
    assert set(profile.by_function) == {"work", "part", "yield"}
    besides = profile.costs.outside_cycles
    assert besides["(other tasks) other"] > 100 and besides["(interrupts) PendSV_Handler"] > 20
    assert sum(call.called for call in profile.costs.calls if call.stack[-1] == "part") == 2


# ---- Memory ----------------------------------------------------------------------------------------------------------


def test_memory_that_the_machine_does_not_have(tmp_path: Path) -> None:
    there = memory_of(find_qemu(), "netduinoplus2")
    if any(region.origin <= 0x10000000 < region.end for region in there):
        pytest.skip("this QEMU has memory at 0x10000000")
    fast = """__attribute__((section(".sram2"))) int fast[100];
APART void work(void) { fast[1] = 2; } int main(void) { work(); }"""
    error = refused(tmp_path, fast)
    assert "has 400 bytes at 0x10000000..0x1000018F (sram2), where QEMU's netduinoplus2 has no memory" in error.what
    assert "sram1" in (error.hint or "")


def test_a_firmware_for_another_board(tmp_path: Path) -> None:
    elf = build_bare(tmp_path, {"main.c": HEAD + "APART void work(void) { sink++; } int main(void) { work(); }"})
    moved = tmp_path / "moved.elf"
    subprocess.run([find_arm_tool("objcopy"), "--change-section-address", ".vectors+0x4000", elf, moved], check=True)
    with pytest.raises(EngineError, match=r"no vectors at 0x08000000, where 'nucleo_l452re_p' begins") as caught:
        run_foreign(qemu, moved, NUCLEO, "work", tmp_path / "run")
    assert "another board" in (caught.value.hint or "")


# ---- Names -----------------------------------------------------------------------------------------------------------

ONE = HEAD + "static APART int step(int n) { return n * 3; } int one(int n) { return step(n) + 1; }"
TWO = HEAD.replace("volatile int sink;", "") + (
    'static APART int step(int n) { while (n-- > 3) { __asm__("nop"); } return n; } int two(int n) { return step(n); }'
)
MAIN = """
extern "C" { int one(int); int two(int); }
#define APART __attribute__((noinline, noclone))
namespace net { struct Layer { int size; APART int run(int n) { return n * size + one(n); }
    APART int run(float x) { return (int)x + two(40); } }; }
__attribute__((noinline)) static int clone(int n, int m) { volatile int k = n + m; return k; }
extern "C" __attribute__((noinline)) int work(int n) { net::Layer layer = {n};
    return layer.run(n) + layer.run(2.5f) + clone(n, 3); }
int main() { return work(4); }
"""


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sources = {"one.c": ONE, "two.c": TWO, "main.cpp": MAIN}
    return build_bare(tmp_path_factory.mktemp("named"), sources, "-fno-exceptions", "-fno-rtti", "-fno-inline")


def test_functions_of_one_name_and_of_cpp(named: Path, tmp_path: Path) -> None:
    profile = priced(named, "work", tmp_path)
    assert {"step (one.c)", "step (two.c)", "net::Layer::run(int)", "net::Layer::run(float)"} <= set(
        profile.by_function
    )
    assert profile.inclusive["net::Layer::run(float)"] > profile.by_function["step (two.c)"] > 40


def test_a_function_is_named_in_many_ways(named: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"2 functions 'step': 0x[0-9a-f]{8} \((one|two).c\)") as caught:
        priced(named, "step", tmp_path)
    address = (caught.value.hint or "").split()[-1]
    assert set(priced(named, address, tmp_path / "address").by_function) <= {"step (one.c)", "step (two.c)"}
    assert set(priced(named, "two.c:step", tmp_path / "file").by_function) == {"step (two.c)"}
    assert "step (one.c)" in priced(named, "net::Layer::run(int)", tmp_path / "cpp").by_function
    assert len(priced(named, "clone", tmp_path / "clone").cycles) == 1  # clone(int, int) [clone .constprop.0]
    with pytest.raises(ConfigurationError, match="2 functions 'net::Layer::run'"):
        priced(named, "net::Layer::run", tmp_path / "both")
    with pytest.raises(ConfigurationError, match="no symbol 'wrok'") as unknown:
        priced(named, "wrok", tmp_path)
    assert unknown.value.hint == "did you mean 'work'?"


def test_without_symbols_an_address_is_enough(named: Path, tmp_path: Path) -> None:
    read = subprocess.run([find_arm_tool("nm"), named], capture_output=True, text=True, check=True).stdout
    address = "0x" + next(line for line in read.splitlines() if line.endswith(" work")).split()[0]
    bare = tmp_path / "stripped.elf"
    subprocess.run([find_arm_tool("strip"), named, "-o", bare], check=True)
    with_names, without = priced(named, "work", tmp_path / "with"), priced(bare, address, tmp_path / "without")
    assert with_names.cycles.tolist() == without.cycles.tolist()
    assert len(without.costs.calls) > 3 and "?" not in without.by_function
    with pytest.raises(ConfigurationError, match="has no symbols") as caught:
        priced(bare, "work", tmp_path)
    assert "--from 0x" in (caught.value.hint or "")
