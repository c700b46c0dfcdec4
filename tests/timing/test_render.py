"""A small profile as text, to the last blank."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from mcusim.boards.load import load_board
from mcusim.timing.call_cycles import CallCost, CallCosts
from mcusim.timing.profile import Profile
from mcusim.timing.recording import Function, Recording
from mcusim.timing.render import to_collapsed_stacks, to_disassembly, to_speedscope, to_text
from mcusim.timing.stacks import by_line
from mcusim.timing.stacks import stacks as every_stack
from tests.timing.programs import CALL, START, made_work

BOARD = load_board("sparkfun_edge")  # whose error nobody knows
PROFILE = Profile(
    clock_hz=48_000_000,
    cycles=np.array([90_000.0, 102_000.0]),
    core_cycles=np.array([80_000.0, 90_000.0]),
    by_address={START: 4.0, START + 2: 2.0, START + 8: 1234.5, START + 10: 999.0, START + 12: 5.0, START + 6: 3.0},
    executed={START: 1.0, START + 2: 1.0, START + 8: 617.25, START + 10: 999.0, START + 12: 2.0, START + 6: 1.0},
    by_function={"inner": 72_000.0, "cnn": 24_000.0},
    inclusive={"inner": 72_000.0, "cnn": 96_000.0},
    calls={("cnn", "inner"): 2.0},
    by_line={("inner.h", 7): 60_000.0, ("model.c", 3): 24_000.0},
    problems={"exceptions and interrupts": 1200},
    work=made_work(np.array([90_000.0, 102_000.0]), flash_cycles=50_000.0),
)

NOBODY = "nobody measured the memory of chip 'apollo3'; `mcusim validate` holds the model against a board of yours"
TEXT = f"""\
cycles     96,000 (90,000 to 102,000, 2 samples, modelled)
of these   85,000 core, 11,000 memory
latency    2.000 ms at 48 MHz
energy     0.0015 uWh
code       integer, flash-bound
error      not known: {NOBODY}
note       1,200 exceptions and interrupts

        cycles  share     with calls  function
        72,000  75.0%         72,000  inner
        24,000  25.0%         96,000  cnn

        cycles  share  line
        60,000  62.5%  inner.h:7
        24,000  25.0%  model.c:3
"""


def test_text() -> None:
    assert to_text(PROFILE, BOARD) == TEXT


def test_layers_of_a_model_come_before_functions() -> None:
    """With all that they call, the dearest first."""
    inclusive = {"cnn": 96_000.0, "layer_a": 24_000.0, "inner": 72_000.0, "layer_b_2": 72_000.0}
    lines = to_text(replace(PROFILE, inclusive=inclusive), BOARD).splitlines()
    at = lines.index("        cycles  share  layer")
    assert lines[at + 1 : at + 5] == [
        "        72,000  75.0%  b_2",
        "        24,000  25.0%  a",
        "",
        "        cycles  share     with calls  function",
    ]


def test_text_of_a_chip_that_was_measured() -> None:
    text = to_text(replace(PROFILE, work=made_work(PROFILE.cycles)), load_board("nucleo_l452re_p")).splitlines()
    assert re.fullmatch(r"latency    2\.000 ms ±[0-9.]+ % at 48 MHz", text[2])
    assert re.fullmatch(r"energy     0\.0088 uWh ±[0-9.]+ %", text[3])
    assert re.fullmatch(
        r"error      median of \d+ held-out measurements of integer code .*; nine of ten within .* %", text[5]
    )


def test_text_of_few_rows_and_no_lines() -> None:
    lines = TEXT.splitlines(keepends=True)
    assert to_text(PROFILE, BOARD, rows=1) == "".join([*lines[:10], *lines[11:14]])
    assert to_text(replace(PROFILE, by_line={}, problems={}), BOARD) == "".join([*lines[:6], *lines[7:11]])


def test_disassembly() -> None:
    """BX LR at the end was never executed in the mean of these samples, and stands there all the same."""
    functions = (Function("cnn", START, START + 8), Function("inner", START + 8, START + 16))
    lines = ((START, "model.c", 3), (START + 6, "model.c", 0), (START + 8, "inner.h", 7))
    counts = CALL.counts("enter loop loop return leave")
    assert (
        to_disassembly(PROFILE, Recording(BOARD.name, counts, CALL.code, functions, lines))
        == """\
        cycles     executed    each
cnn:
; model.c:3
             4            1    4.00  08000100  push {r4, lr}
             2            1    2.00  08000102  bl #0x8000108
;
             3            1    3.00  08000106  pop {r4, pc}

inner:
; inner.h:7
         1,234          617    2.00  08000108  adds r0, #1
           999          999    1.00  0800010a  subs r1, #1
             5            2    2.50  0800010c  bne #0x8000108
             0            0    0.00  0800010e  bx lr
"""
    )


def test_what_was_not_executed_is_not_disassembled() -> None:
    counts = replace(CALL, places={"enter": CALL.places["enter"]}).counts("enter")
    assert to_disassembly(PROFILE, Recording(BOARD.name, counts, CALL.code, (), ())).splitlines()[1:] == [
        "?:",
        "             4            1    4.00  08000100  push {r4, lr}",
        "             2            1    2.00  08000102  bl #0x8000108",
    ]


# ---- Stacks ----------------------------------------------------------------------------------------------------------


def stacks(own: Mapping[str, float], calls: Mapping[tuple[str, str], float]) -> list[str]:
    return to_collapsed_stacks(replace(PROFILE, by_function=own, calls=calls)).splitlines()


def total(lines: list[str]) -> int:
    return sum(int(line.rpartition(" ")[2]) for line in lines)


def test_stacks() -> None:
    assert to_collapsed_stacks(PROFILE) == "cnn 24000\ncnn;inner 72000\n"


def test_a_function_that_several_call_stands_below_each() -> None:
    own = {"cnn": 10.0, "a": 20.0, "b": 30.0, "shared": 40.0}
    calls = {("cnn", "a"): 1.0, ("cnn", "b"): 1.0, ("a", "shared"): 3.0, ("b", "shared"): 1.0}
    found = stacks(own, calls)
    assert found == ["cnn 10", "cnn;a 20", "cnn;a;shared 30", "cnn;b 30", "cnn;b;shared 10"]
    assert total(found) == sum(own.values())


def test_several_roots() -> None:
    """An interrupt that nobody called, and what both of them call."""
    own = {"cnn": 10.0, "isr": 6.0, "copy": 8.0}
    found = stacks(own, {("cnn", "copy"): 3.0, ("isr", "copy"): 1.0})
    assert found == ["cnn 10", "cnn;copy 6", "isr 6", "isr;copy 2"]


def test_functions_that_call_each_other() -> None:
    found = stacks({"cnn": 10.0, "a": 20.0, "b": 30.0}, {("cnn", "a"): 1.0, ("a", "b"): 5.0, ("b", "a"): 0.0})
    assert found == ["cnn 10", "cnn;a 20", "cnn;a;b 30"]


def test_when_everything_is_called_the_dearest_is_the_root() -> None:
    assert stacks({"a": 20.0, "b": 30.0}, {("a", "b"): 2.0, ("b", "a"): 1.0}) == ["a 20", "a;b 30"]


def test_a_stack_without_cycles_is_left_out() -> None:
    assert stacks({"cnn": 0.4, "a": 7.0, "b": 0.5}, {("cnn", "a"): 1.0, ("a", "b"): 1.0}) == ["cnn;a 7", "cnn;a;b 0"]


@pytest.mark.parametrize("depth", [31, 32, 40])
def test_a_chain_is_followed_for_32_functions(depth: int) -> None:
    own = {f"f{number}": 1.0 for number in range(depth)}
    found = stacks(own, {(f"f{number}", f"f{number + 1}"): 1.0 for number in range(depth - 1)})
    assert len(found) == min(depth, 32) and found[-1].count(";") == min(depth, 32) - 1


# ---- By call ---------------------------------------------------------------------------------------------------------

BY_CALL = replace(
    PROFILE,
    costs=CallCosts(
        calls=(
            CallCost(("cnn",), 24_000.0, 96_000.0, 1.0),
            CallCost(("cnn", "inner"), 60_000.0, 60_000.0, 4.0),
            CallCost(("cnn", "pool"), 2_000.0, 12_000.0, 1.0),
            CallCost(("cnn", "pool", "inner"), 10_000.0, 10_000.0, 2.0),
        ),
        outside=(
            CallCost(("(interrupts)",), 0.0, 700.0, 0.0),
            CallCost(("(interrupts)", "SysTick; \u202eHandler"), 700.0, 700.0, 3.0),
        ),
    ),
)


def test_callers_and_what_ran_besides() -> None:
    text = to_text(BY_CALL, BOARD).splitlines()
    assert "besides    700 core in (interrupts) SysTick; \u202eHandler" in text
    at = text.index("    with calls      calls         each  function, called by")
    assert text[at + 1 : at + 3] == [
        "        60,000          4     15,000.0  inner < cnn",
        "        10,000          2      5,000.0  inner < pool < cnn",
    ]


def test_whole_stacks() -> None:
    assert to_collapsed_stacks(BY_CALL).splitlines() == [
        "cnn 24000",
        "cnn;inner 60000",
        "cnn;pool 2000",
        "cnn;pool;inner 10000",
        "(interrupts);SysTick: \u202eHandler 700",
    ]


@pytest.mark.parametrize("profile", [PROFILE, BY_CALL], ids=["shared out", "by call"])
def test_lines_share_the_cycles_of_their_function(profile: Profile) -> None:
    """`cnn`: 4 + 2 cycles of line 3, 3 of no line; what `inner` saves somewhere is no line of its own."""
    functions = (Function("cnn", START, START + 8), Function("inner", START + 8, START + 16))
    lines = ((START, "model.c", 3), (START + 6, "model.c", 0), (START + 8, "a.h", 7), (START + 12, "a.h", 6))
    recording = Recording(BOARD.name, CALL.counts("enter loop loop return leave"), CALL.code, functions, lines)
    cheap = replace(profile, by_address={**profile.by_address, START + 14: -2.0, START + 12: 2233.5})
    found = list(by_line(cheap, recording))
    for one in every_stack(profile):
        own = [stack for stack in found if stack.functions == one.functions]
        assert sum(stack.cycles for stack in own) == pytest.approx(one.cycles)
        cycles = {stack.line: stack.cycles / one.cycles for stack in own if one.cycles}
        if one.functions == ("cnn",):
            assert cycles == pytest.approx({("model.c", 3): 6 / 9, None: 3 / 9})
        if one.functions[-1] == "inner":
            assert list(cycles) == [("a.h", 6), ("a.h", 7), None]
            assert cycles == pytest.approx({("a.h", 6): 0.5, ("a.h", 7): 0.5, None: 0.0})


@pytest.mark.parametrize("profile", [PROFILE, BY_CALL], ids=["shared out", "by call"])
def test_speedscope(profile: Profile) -> None:
    """The keys of https://www.speedscope.app/file-format-schema.json for a sampled profile."""
    functions = (Function("cnn", START, START + 8), Function("inner", START + 8, START + 16))
    lines = ((START, "model.c", 3), (START + 8, "inner.h", 7))
    counts = CALL.counts("enter loop loop return leave")
    found = json.loads(to_speedscope(profile, Recording(BOARD.name, counts, CALL.code, functions, lines), "a.elf: cnn"))
    assert found["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    frames, (sampled,) = found["shared"]["frames"], found["profiles"]
    assert {"name": "cnn", "file": "model.c", "line": 3} in frames
    assert (sampled["type"], sampled["unit"], sampled["startValue"]) == ("sampled", "none", 0)
    assert len(sampled["samples"]) == len(sampled["weights"]) > 0
    assert sum(sampled["weights"]) == sampled["endValue"]
    assert all(0 <= number < len(frames) for stack in sampled["samples"] for number in stack)
    stacks = {";".join(frames[number]["name"] for number in stack) for stack in sampled["samples"]}
    assert {"cnn", "cnn;inner"} <= stacks
