"""A core, a board, an engine, a workload: where code runs."""

from __future__ import annotations

import re

import pytest

from tests.recipes.tree import Tree

# Tests that find the boards themselves, those of emulators but for the quickest.
FIND_BOARDS = (
    *("tests/boards", "tests/cores/test_cores.py", "tests/cores/armv7m/test_memory_protection.py"),
    *("tests/platforms/test_descriptions.py", "tests/platforms/test_scripts.py", "tests/testing/test_robot_suites.py"),
    "tests/test_bit_exact_boards.py::test_an_output_of_another_width_on_every_board",
)
ON_THE_CORE = (
    "tests/cores/test_cortex_m7.py",
    "tests/line/test_build.py::test_the_model_is_the_same_object_at_the_same_place",
    *(
        f"tests/cores/armv7m/test_faults.py::test_fault_is_named_with_sample_and_line[qemu-{fault}-mps2_m7]"
        for fault in ("big frame", "write beyond ram", "double")
    ),
)
NUCLEO = "platforms/boards/nucleo_l452re_p"


@pytest.mark.arm
def test_a_core(tree: Tree) -> None:
    """With a chip and a board that have it."""
    tree.add("core")
    tree.line("mcusim/cores/__init__.py", "= (cortex_m4f,)", "= (cortex_m4f, cortex_m7)")
    tree.imported("mcusim/cores/__init__.py", "import cortex_m4f\n", "import cortex_m4f, cortex_m7\n")
    tree.test(*FIND_BOARDS, *ON_THE_CORE, "-k", "mps2_m7 or cortex_m7 or test_cores or same_object")
    assert tree.touched() == (3, 1)


def without(table: str, text: str) -> str:
    return re.sub(rf"^\[{table}\]\n(?:.+\n)*", "", text, flags=re.MULTILINE)


def test_a_board(tree: Tree) -> None:
    """One that is in no Renode, and one with a platform of its own."""
    text = tree.text(f"{NUCLEO}.toml")
    tree.new("platforms/boards/toy_bare.toml", without("renode", text))
    tree.new("platforms/boards/toy_own.toml", text.replace("nucleo_l452re_p.repl", "toy_own.repl"))
    tree.new("platforms/boards/toy_own.repl", tree.text(f"{NUCLEO}.repl"))
    tree.test(*FIND_BOARDS, "-k", "toy_ or every_board or every_file or there_is or scripts_of or unknown")
    assert tree.touched() == (3, 0)


def test_an_engine(tree: Tree) -> None:
    tree.add("engine")
    tree.new("codegen/harness/transport_mirror.c", tree.text("codegen/harness/transport_stdio.c"))
    tree.line("mcusim/engines/__init__.py", '"serial": serial,', '"serial": serial, "mirror": mirror,')
    tree.imported("mcusim/engines/__init__.py", "import host\n", "import host, mirror\n")
    tree.test("tests/engines/test_mirror.py", "tests/commands/test_doctor.py", "tests/experiment/test_engine_choice.py")
    assert tree.touched() == (2, 1)


def test_a_workload(tree: Tree) -> None:
    tree.add("workload")
    tree.line("mcusim/workloads/__init__.py", "(GeneratedCode, ForeignElf)", "(GeneratedCode, ForeignElf, Prebuilt)")
    old = "from mcusim.workloads.workload"
    tree.imported("mcusim/workloads/__init__.py", old, f"from mcusim.workloads.prebuilt import Prebuilt\n{old}")
    tree.test("tests/workloads")
    assert tree.touched() == (1, 1)
