"""What a schedule writes is priced as the model prices the bytes that it becomes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcusim.kernels.assembly import Assembly, at, imm, several
from mcusim.kernels.instructions import Clock
from mcusim.line.lower import program_of
from mcusim.program import Routine
from mcusim.system.assets import CODEGEN
from mcusim.system.templates import render
from mcusim.timing.decode import Instruction, decode
from tests.kernels.measured import forced
from tests.kernels.test_calling_convention import NETWORKS, graph_of, routines_of

GCC = ("arm-none-eabi-gcc", "-c", "-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard", "-mthumb")
NAMES = ("b", "vmov", "vcmp", "vcmpe", "vmrs", "vmsr")  # that prices depend on
FLAGS = {"pc", "cpsr", "apsr_nzcv", "fpscr", "fpscr_nzcv", "itstate"}
PARTS = re.compile(r"\{[^}]*\}|\[[^\]]*\]!?|[^,\s{\[][^,{\[]*")


def written(routine: Routine) -> Iterator[Instruction]:
    """As the schedule's clock reads its text."""
    registers: dict[str, str] = {}
    clock = Clock(registers)
    for line in routine.assembly.splitlines():
        code = line.split("/*")[0].strip()
        if found := re.match(r"(\w+)\s+\.req\s+(\w+)", code):
            registers[found[1]] = found[2]
        elif code and not code.startswith((".", "*")) and not code.endswith(":") and line.startswith("    "):
            mnemonic, _, rest = code.partition(" ")
            operands = [part.strip() for part in PARTS.findall(rest)]
            yield clock.read(mnemonic.partition(".")[0], [one for one in operands if one], 4)


def facts(one: Instruction) -> tuple[object, ...]:
    """That a price depends on; not the registers of a list of the FPU's, which `decode` does not tell."""
    names = {"sb": "r9", "sl": "r10", "fp": "r11", "ip": "r12"}

    def registers(some: frozenset[str]) -> set[str]:
        return {names.get(name, name) for name in some}

    listed = one.kind.endswith("_multiple") and one.name.startswith("v")
    told = set() if listed or one.kind == "branch" or one.name == "vmrs" else registers(one.writes) - FLAGS
    place = one.branch, one.register_offset, names.get(one.base, one.base), registers(one.address_reads)
    return one.kind, one.words, one.name if one.name in NAMES else "", *place, told


@pytest.mark.arm
def test_every_routine_is_read_as_it_is_decoded(tmp_path: Path) -> None:
    routines = {}
    for builder, data_type, kernel in NETWORKS[::3]:
        graph = graph_of(builder, data_type)
        routines |= routines_of(program_of(graph, forced(graph, kernel)))
    for name, routine in routines.items():
        (tmp_path / f"{name}.S").write_text(render("routine.S.j2", routine=routine))
    subprocess.run([*GCC, f"-I{CODEGEN / 'numbers'}", *(f"{name}.S" for name in routines)], cwd=tmp_path, check=True)
    for name, routine in routines.items():
        copied = ["arm-none-eabi-objcopy", "-O", "binary", "-j", f".text.{name}", f"{name}.o", "code"]
        subprocess.run(copied, cwd=tmp_path, check=True)
        decoded = decode((tmp_path / "code").read_bytes(), 0)
        for ours, theirs in zip(written(routine), decoded, strict=False):  # behind a BX there may be a NOP
            assert facts(ours) == facts(theirs), (name, ours.text, theirs.text)


def test_parts_are_told_apart() -> None:
    a = Assembly("nn_test", ["a test"])
    a.register("from", "r0")
    a("push", several(["r4", "r5", "lr"]))
    with a.part("turn"), a.loop("turn", "two words") as again:
        a("ldr", "r1", at("from", 4))
        a("ldr", "r2", "[from]", imm(8))
        with a.part("sum"):
            a("add", "r3", "r1", "r2")
        a("subs", "r4", "r4", imm(1))
        a("bne", again)
    a("pop", several(["r4", "r5", "pc"]))
    assert a.parts == {"": 4 + 4 + 3, "turn": 1 + 2 + 1 + 1 + 1, "sum": 1}
    assert a.cycles == sum(a.parts.values())


def test_what_waits_for_another() -> None:
    def cycles(*instructions: tuple[str, ...]) -> float:
        a = Assembly("nn_test", ["a test"])
        a.register("weights", "r9", in_flash=True)
        a("mov", "r8", "r7")
        before = a.cycles
        for one in instructions:
            a(*one)
        return a.cycles - before

    load, other = ("ldr", "r1", "[r0]"), ("ldr", "r2", "[r0, #4]")
    assert cycles(load, other) == 3, "the second one pairs"
    assert cycles(load, ("ldr", "r2", "[r1]")) == 5, "an address is there a cycle late"
    assert cycles(load, ("ldr", "r2", "[weights]")) == 4, "loads pair on one bus"
    assert cycles(("add", "r0", "r0", "r1"), load) == 4
    assert cycles(("str", "r1", "[r0]"), other) == 3, "a load does not wait for the store before it"
    assert cycles(("vmul.f32", "s0", "s1", "s2"), ("vadd.f32", "s3", "s3", "s0")) == 3, (
        "a product is there a cycle late"
    )
