"""Whose cycles are whose in firmware of others: calls, tail calls, recursion, jumps, interrupts, tasks, code in RAM."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mcusim.boards.load import load_board
from mcusim.engines.counts import Counts
from mcusim.engines.qemu import engine as qemu
from mcusim.engines.qemu import foreign
from mcusim.timing.load_recording import load
from mcusim.timing.parameters import CORTEX_M4F
from mcusim.timing.profile import Profile, price_recording
from mcusim.timing.recording import Recording, record, save
from tests.engines.qemu.bare_firmware import build_bare
from tests.jobs import run_foreign

pytestmark = pytest.mark.arm
NUCLEO = load_board("nucleo_l452re_p")

PROGRAM = """
#include <setjmp.h>
#include <stdint.h>
#define APART __attribute__((noinline, noclone))
#define REGISTER(address) (*(volatile uint32_t *)(address))
volatile int sink;
static jmp_buf place;

APART int leaf(int n) { for (int i = 0; i < n; i++) { sink += i; } return sink; }
APART int tail(int n) { sink++; return leaf(n + 1); }              /* b.w leaf */
APART int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
APART int work(int n) { int a = leaf(3) + fib(6); return tail((a & 1) + n); }
APART int wrapper(int n) { sink = 0; return work(n); }             /* b.w work */
APART void after(void) { for (int i = 0; i < 5000; i++) { sink ^= i; } }

APART int even(int n);
APART int odd(int n) { sink++; return n ? even(n - 1) : 0; }       /* each is left by a branch to the other */
APART int even(int n) { sink++; return n ? odd(n - 1) : 1; }

APART void thrower(int n) { sink = n; longjmp(place, 1); }
APART void jumper(int n) { thrower(n); sink++; }
APART void catcher(void) { if (!setjmp(place)) { jumper(1); } sink = 4; }

__attribute__((section(".ramfunc"), noinline, noclone, long_call)) int in_ram(int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++) { sum += sink; }
    return sum;
}
APART int calls_ram(int n) { return in_ram(n) + in_ram(2 * n); }

void SysTick_Handler(void) { leaf(2); }                            /* b.w leaf: what it interrupts, mostly */
APART void quiet(void) { for (int i = 0; i < 300; i++) { leaf(i & 15); } }
APART void disturbed(void) { for (int i = 0; i < 300; i++) { leaf(i & 15); } }

int main(void)
{
    wrapper(1);
    work(2);
    after();
    odd(7);
    catcher();
    calls_ram(40);
    quiet();
    REGISTER(0xE000E014) = 5000;
    REGISTER(0xE000E018) = 0;
    REGISTER(0xE000E010) = 7;
    disturbed();
    REGISTER(0xE000E010) = 0;
    return 0;
}
"""


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_bare(tmp_path_factory.mktemp("calls"), {"main.c": PROGRAM})


def counted(elf: Path, start: str, folder: Path, notes: int = 0) -> Counts:
    execution = run_foreign(qemu, elf, NUCLEO, start, folder)
    assert execution.counts is not None and execution.counts.tree is not None and len(execution.notes) == notes
    return execution.counts


def measured(elf: Path, start: str, folder: Path, notes: int = 0) -> tuple[Profile, Recording]:
    recording = record(counted(elf, start, folder, notes), elf, NUCLEO.name)
    return price_recording(recording, NUCLEO.chip, NUCLEO.clock_hz, CORTEX_M4F), recording


def ways(profile: Profile) -> dict[str, float]:
    """How often each function was called, by the way to it."""
    return {" < ".join(call.stack[::-1]): call.called for call in profile.costs.calls}


def test_a_call_that_begins_and_ends_with_a_branch(elf: Path, tmp_path: Path) -> None:
    """`wrapper` is left by B.W to `work`, and that by one to `tail`: what runs after them is not theirs."""
    profile, _ = measured(elf, "work", tmp_path)
    assert len(profile.cycles) == 2
    assert ways(profile) == {"work": 1, "leaf < work": 1, "fib < work": 1, "tail < work": 1, "leaf < tail < work": 1}
    assert "after" not in profile.by_function
    whole, _ = measured(elf, "wrapper", tmp_path / "wrapper")
    assert "work < wrapper" in ways(whole) and whole.cycles[0] > profile.cycles[0]
    assert whole.cycles[0] - profile.cycles[0] < 20


def test_calls_of_one_function_are_kept_apart(elf: Path, tmp_path: Path) -> None:
    profile, _ = measured(elf, "work", tmp_path)
    costs = {" < ".join(call.stack[::-1]): call for call in profile.costs.calls}
    assert costs["leaf < work"].own != costs["leaf < tail < work"].own
    assert sum(call.own for call in profile.costs.calls) == pytest.approx(profile.mean)
    for name, cycles in profile.by_function.items():
        assert sum(call.own for call in profile.costs.calls if call.stack[-1] == name) == pytest.approx(cycles)
    assert costs["work"].with_calls == pytest.approx(profile.mean) == profile.inclusive["work"]


def test_recursion_ends_with_its_first_call(elf: Path, tmp_path: Path) -> None:
    profile, _ = measured(elf, "fib", tmp_path)
    assert len(profile.cycles) == 2 and profile.cycles[0] == profile.cycles[1]
    assert ways(profile) == {"fib": 1}
    odd, _ = measured(elf, "odd", tmp_path / "odd")
    assert len(odd.cycles) == 1 and set(odd.by_function) == {"odd", "even"}
    assert odd.executed[min(odd.executed)] == 4  # even at the lower address: 6, 4, 2 and 0 or 7, 5, 3 and 1


def test_a_call_that_is_jumped_out_of(elf: Path, tmp_path: Path) -> None:
    profile, _ = measured(elf, "jumper", tmp_path)
    assert set(profile.by_function) == {"jumper", "thrower", "longjmp"}
    assert any("longjmp" in problem for problem in profile.problems)
    catcher, _ = measured(elf, "catcher", tmp_path / "catcher")
    assert not any("longjmp" in problem for problem in catcher.problems)
    assert {"setjmp < catcher", "longjmp < thrower < jumper < catcher"} <= set(ways(catcher))


def test_interrupts_are_told_apart(elf: Path, tmp_path: Path) -> None:
    quiet, _ = measured(elf, "quiet", tmp_path / "quiet")
    disturbed, _ = measured(elf, "disturbed", tmp_path / "disturbed")
    assert ways(quiet)["leaf < quiet"] == ways(disturbed)["leaf < disturbed"] == 300
    assert disturbed.core_cycles[0] == quiet.core_cycles[0]
    assert not quiet.costs.outside_cycles
    assert disturbed.costs.outside_cycles["(interrupts) SysTick_Handler"] > 20
    assert any(call.stack == ("(interrupts)", "SysTick_Handler", "leaf") for call in disturbed.costs.outside)


def test_a_handler_can_be_measured(elf: Path, tmp_path: Path) -> None:
    profile, _ = measured(elf, "SysTick_Handler", tmp_path)
    assert len(profile.cycles) >= 2 and ways(profile) == {"SysTick_Handler": 1, "leaf < SysTick_Handler": 1}
    assert set(profile.by_function) == {"SysTick_Handler", "leaf"} and not profile.costs.outside


def test_code_in_ram_is_priced(elf: Path, tmp_path: Path) -> None:
    """From what the emulator executed: in the file it lies elsewhere."""
    profile, recording = measured(elf, "calls_ram", tmp_path)
    assert profile.by_function["in_ram"] > 40 * 3 * 5
    (told,) = profile.problems
    assert "instructions in RAM" in told
    assert any(start >= 0x20000000 for start, _ in recording.code.pieces)


def test_a_call_that_never_returns_is_told(elf: Path, tmp_path: Path) -> None:
    profile, _ = measured(elf, "Reset_Handler", tmp_path)
    assert any("had not returned" in problem for problem in profile.problems)
    assert "after < main < Reset_Handler" in ways(profile)


def test_a_recording_keeps_the_calls(elf: Path, tmp_path: Path) -> None:
    profile, recording = measured(elf, "work", tmp_path)
    save(recording, tmp_path / "profile.json")
    again = load(tmp_path / "profile.json")
    assert again.counts.tree == recording.counts.tree
    assert price_recording(again, NUCLEO.chip, NUCLEO.clock_hz, CORTEX_M4F).costs == profile.costs


@pytest.mark.parametrize("start", ["work", "wrapper", "fib", "quiet", "disturbed", "calls_ram"])
def test_where_qemu_shows_no_registers(elf: Path, start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of another kind than x86-64 and AArch64: return addresses alone tell as much of programs like this."""
    want, _ = measured(elf, start, tmp_path / "with")
    seen = foreign.watch_calls
    monkeypatch.setattr(foreign, "watch_calls", lambda *told: replace(seen(*told), options=("stack=0x4",)))
    have, _ = measured(elf, start, tmp_path / "without", notes=1)
    assert have.cycles.tolist() == want.cycles.tolist() and ways(have) == ways(want)
