"""What is kept of an execution: exactly what was counted, with the code, functions and lines that belong to it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.engines.counts import ACCESS, REGION, Block, CallNode, CallTree, Counts, Edge, Event
from mcusim.system.errors import DataError
from mcusim.system.toolchain import find_arm_tool
from mcusim.timing.code import Code
from mcusim.timing.load_recording import load
from mcusim.timing.recording import Function, Recording, record, save

OUTSIDE = Block(0xFFFFFFFF, 0xFFFFFFFF, 0)
FLASH = 0x08000000


def counts(*blocks: Block) -> Counts:
    """One sample that ran each block once."""
    edges = tuple(Edge(len(blocks), number) for number in range(len(blocks)))
    return Counts((*blocks, OUTSIDE), edges, np.ones((1, len(edges)), np.uint64), (), np.zeros((1, 0), np.uint64))


def small() -> Recording:
    return Recording(
        board="nucleo_l452re_p",
        counts=Counts(
            blocks=(Block(FLASH, FLASH + 4, 2), OUTSIDE),
            edges=(Edge(0, 0), Edge(1, 0)),
            edge_counts=np.array([[7, 1], [2**63, 1]], np.uint64),
            events=(Event(ACCESS, 0, FLASH), Event(REGION, 1, FLASH + 2)),
            event_counts=np.array([[8, 0], [0, 3]], np.uint64),
        ),
        code=Code([(FLASH, bytes.fromhex("0868fdd1"))]),
        functions=(Function("cnn", FLASH, FLASH + 4), Function("größe", FLASH + 8, FLASH + 12)),
        lines=((FLASH, "model.c", 12), (FLASH + 2, "model.c", 0)),
    )


SMALL = (
    '{"format":1,"board":"nucleo_l452re_p","blocks":[[134217728,134217732,2],[4294967295,4294967295,0]],'
    '"edges":[[0,0],[1,0]],"edge_counts":[[7,1],[9223372036854775808,1]],'
    '"events":[[0,0,134217728],[4,1,134217730]],"event_counts":[[8,0],[0,3]],'
    '"code":[[134217728,"CGj90Q=="]],"functions":[["cnn",134217728,134217732],'
    '["gr\\u00f6\\u00dfe",134217736,134217740]],"lines":[[134217728,"model.c",12],[134217730,"model.c",0]]}'
)

# -- the file ----------------------------------------------------------------------------------------------------------


def test_the_file_is_that_of_format_1(tmp_path: Path) -> None:
    save(small(), tmp_path / "profile.json")
    assert (tmp_path / "profile.json").read_text(encoding="utf-8") == SMALL


def test_round_trip(tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_text(SMALL, encoding="utf-8")
    have, want = load(tmp_path / "profile.json"), small()
    assert (have.board, have.functions, have.lines) == (want.board, want.functions, want.lines)
    assert have.code.pieces == want.code.pieces
    assert (have.counts.blocks, have.counts.edges) == (want.counts.blocks, want.counts.edges)
    assert have.counts.events == want.counts.events
    for array in ("edge_counts", "event_counts"):
        assert np.array_equal(getattr(have.counts, array), getattr(want.counts, array))
        assert getattr(have.counts, array).dtype == np.uint64


def test_round_trip_of_calls(tmp_path: Path) -> None:
    """MEASURED is node 0: it is its own parent, and that of what it calls."""
    nodes = tuple(CallNode(*node) for node in ((0, FLASH, 1), (1, 0, 0), (2, 0, 0), (0, FLASH + 8, 5), (3, FLASH, 2)))
    tree = CallTree(nodes, {(0, 1): 2, (4, 0): 7}, never_returned=1, jumped_out=2)
    save(replace(small(), counts=replace(small().counts, tree=tree)), tmp_path / "profile.json")
    assert load(tmp_path / "profile.json").counts.tree == tree


def test_without_events_every_sample_is_still_there(tmp_path: Path) -> None:
    document = {**json.loads(SMALL), "events": [], "event_counts": [[], []]}
    (tmp_path / "profile.json").write_text(json.dumps(document))
    assert load(tmp_path / "profile.json").counts.event_counts.shape == (2, 0)


ENDS = {"never_returned": 0, "jumped_out": 0}


def damage(**changes: Any) -> str:
    return json.dumps({**json.loads(SMALL), **changes})


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", "null", "7", "\xff", "[" * 50),
        *(damage(**{key: None}) for key in json.loads(SMALL) if key not in ("board", "format")),
        damage(blocks=[[1, 2]]),
        damage(blocks=[["a", 2, 3], [1, 2, 3]]),
        damage(edges=[[0, 0], [0, 2]]),
        damage(edges=[[0, 0], [-1, 0]]),
        damage(edge_counts=[[7], [1]]),
        damage(edge_counts=[[7, 1], [1]]),
        damage(edge_counts=[[7, -1], [1, 1]]),
        damage(event_counts=[[8, 0]]),
        damage(events=[[0, 0, "x"], [4, 1, 2]]),
        damage(code=[[134217728, "!!"]]),
        damage(code=[["x", "CGj90Q=="]]),
        damage(functions=[["cnn", 1]]),
        damage(lines=[[1, "model.c", "x"]]),
        damage(lines=[[-1, "model.c", 1]]),
        '{"format":1,"board":' + "[" * 100_000,
        damage(blocks=[[FLASH, FLASH + 4, 2]]),  # no outside
        damage(blocks=[[FLASH, FLASH + 4, 3], [2**32 - 1, 2**32 - 1, 0]]),  # more instructions than fit
        damage(blocks=[[FLASH, FLASH + 2**20, 2], [2**32 - 1, 2**32 - 1, 0]]),
        damage(blocks=[[FLASH + 4, FLASH, 2], [2**32 - 1, 2**32 - 1, 0]]),
        damage(blocks=[[FLASH, FLASH + 4, 2], [2**32 - 1, 0, 0]]),  # an outside that ends before it begins
        damage(blocks=[[2**40, 2**40 + 4, 2], [2**32 - 1, 2**32 - 1, 0]]),
        damage(edge_counts=[], event_counts=[]),
        damage(edge_counts=[[7, 2**63], [2**63, 2**63]]),  # a sum that wraps around is a small number
        damage(edge_counts=[[7, 2**64], [1, 1]]),
        damage(edge_counts=[[7, 1.5], [1, 1]]),
        damage(edge_counts=[[7, True], [1, 1]]),
        damage(edge_counts=[[7, float("nan")], [1, 1]]),
        damage(events=[[9, 0, FLASH], [4, 1, 2]]),
        damage(events=[[2, 5, 0], [4, 1, 2]]),
        damage(events=[[3, -1, 0], [4, 1, 2]]),
        damage(tree={}),
        damage(tree={"nodes": [[0, 0, 1]], "tallies": [], "never_returned": 0, "jumped_out": 0}),
        damage(tree={"nodes": [[0, 0, 1], [1, 0, 1], [2, 0, 1], [4, 0, 1]], "tallies": [], **ENDS}),
        damage(tree={"nodes": [[0, 0, 1], [1, 0, 1], [2, 0, 1], [3, 0, 1]], "tallies": [], **ENDS}),
        damage(tree={"nodes": [[0, 0, 1], [1, 0, 1], [2, 0, 1], [-1, 0, 1]], "tallies": [], **ENDS}),
        damage(tree={"nodes": [[0, 0, 1], [1, 0, 1], [2, 0, 1]], "tallies": [[0, 7, 1]], **ENDS}),
        damage(tree={"nodes": [[0, 0, 1], *([max(at - 1, 1), 0, 1] for at in range(1, 6000))], "tallies": [], **ENDS}),
        damage(tree={"nodes": [[0, 0, 1], [1, 0, 1], [2, 0, 1]], "tallies": [[0, 0, -1]], **ENDS}),
    ],
)
def test_a_file_that_is_damaged(text: str, tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=r"'profile\.json' is not a profile") as caught:
        load(tmp_path / "profile.json")
    assert caught.value.where == str(tmp_path / "profile.json")


def test_names_of_a_made_up_file_reach_no_terminal(tmp_path: Path) -> None:
    text = damage(functions=[["c\x1b[31mnn\n", FLASH, FLASH + 4]], lines=[[FLASH, "a\x1b]0;b", 1]], board="n\x07")
    (tmp_path / "profile.json").write_text(text)
    found = load(tmp_path / "profile.json")
    assert all(name.isprintable() for name in (found.functions[0].name, found.lines[0][1], found.board))


def test_a_file_that_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "profile.json")
    with pytest.raises(DataError, match="it is no file") as caught:
        load(tmp_path / "profile.json")
    assert caught.value.hint


def test_a_file_that_was_cut_anywhere(tmp_path: Path) -> None:
    for length in range(0, len(SMALL), 7):
        (tmp_path / "profile.json").write_text(SMALL[:length], encoding="utf-8")
        with pytest.raises(DataError, match="is not a profile"):
            load(tmp_path / "profile.json")


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a profile"):
        load(tmp_path / "profile.json")


def test_another_format(tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_text(damage(format=2))
    with pytest.raises(DataError, match=r"is a profile of format 2, not 1"):
        load(tmp_path / "profile.json")
    (tmp_path / "profile.json").write_text(damage(format="2" * 1000))
    with pytest.raises(DataError, match=f"is a profile of format '{'2' * 59}, not 1"):
        load(tmp_path / "profile.json")


# -- where an address is -----------------------------------------------------------------------------------------------


def test_functions_end_where_they_end() -> None:
    recording = small()
    found = {at: recording.function_at(FLASH + at) for at in (-2, 0, 2, 4, 6, 8, 10, 12)}
    assert found == {-2: "?", 0: "cnn", 2: "cnn", 4: "?", 6: "?", 8: "größe", 10: "größe", 12: "?"}
    entries = {at: recording.entry_at(FLASH + at) - FLASH for at in (0, 2, 6, 10, 12)}
    assert entries == {0: 0, 2: 0, 6: 6, 10: 8, 12: 12}


def test_a_line_of_0_ends_a_stretch() -> None:
    recording = small()
    assert [recording.line_at(FLASH + at) for at in (-2, 0, 1, 2, 100)] == [None, *[("model.c", 12)] * 2, None, None]


# -- of a firmware -----------------------------------------------------------------------------------------------------

PROGRAM = """
    .syntax unified
    .cpu cortex-m4
    .thumb
    .file 1 "first.c"
    .file 2 "second.h"
    .type first, %function
    .type hand, %function
    .type last, %function
    .globl first
first:
    .loc 1 10
    adds r0, #1
    .loc 2 7
    adds r0, #2
    .loc 1 11
    bx lr
    .size first, .-first
    nop
hand:                   // written by hand: without a size
    .loc 1 20
    nop
    nop
    bx lr
last:
    .loc 1 30
    bx lr
"""


BARE = ".thumb\n.type bare, %function\nbare: bx lr\nnop\n"  # of a library that was built without -g


@pytest.fixture(scope="module", params=[4, 5], ids=["DWARF 4", "DWARF 5"])
def elf(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`first` at FLASH (6 bytes and 2 of nobody), `hand` at 8 (6 bytes), `last` at 14 (2), `bare` at 16 (4)."""
    folder = tmp_path_factory.mktemp("elf")
    (folder / "a.s").write_text(PROGRAM)
    (folder / "b.s").write_text(BARE)
    target = ["-mcpu=cortex-m4", "-mthumb"]
    for name, debugging in (("a", [f"-gdwarf-{request.param}"]), ("b", [])):
        command = [find_arm_tool("gcc"), *target, *debugging, "-c", f"{name}.s"]
        subprocess.run(command, cwd=folder, check=True)
    link = ["-nostdlib", f"-Wl,-Ttext={FLASH:#x}", "-Wl,-e,first", "a.o", "b.o", "-o", "a.elf"]
    subprocess.run([find_arm_tool("gcc"), *target, *link], cwd=folder, check=True)
    return folder / "a.elf"


@pytest.mark.arm
def test_functions_without_a_size_end_where_the_next_begins(elf: Path) -> None:
    recording = record(counts(Block(FLASH, FLASH + 6, 3)), elf, "nucleo_l452re_p")
    assert [function.name for function in recording.functions] == ["first", "hand", "last", "bare"]
    found = [recording.function_at(FLASH + at) for at in (0, 4, 6, 8, 12, 14, 16, 1000)]
    assert found == ["first", "first", "?", "hand", "hand", "last", "bare", "bare"]
    assert recording.board == "nucleo_l452re_p"


@pytest.mark.arm
def test_lines_of_what_was_executed(elf: Path) -> None:
    recording = record(counts(Block(FLASH, FLASH + 20, 10)), elf, "nucleo_l452re_p")
    found = [recording.line_at(FLASH + at) for at in (0, 2, 4, 6, 8, 14, 16, 18)]
    first, second = "first.c", "second.h"
    lines = [(first, 10), (second, 7), (first, 11), (first, 11), (first, 20), (first, 30)]
    assert found == [*lines, None, None]  # and not line 30 for what follows the last line
    short = record(counts(Block(FLASH, FLASH + 4, 2)), elf, "nucleo_l452re_p")
    assert {line for _, _, line in short.lines} == {10, 7}


@pytest.mark.arm
def test_only_executed_code_is_kept_and_overlapping_blocks_once(elf: Path) -> None:
    """A loop begins in the middle of the block that leads into it."""
    blocks = Block(FLASH, FLASH + 6, 3), Block(FLASH + 2, FLASH + 6, 2), Block(FLASH + 14, FLASH + 16, 1)
    code = record(counts(*blocks), elf, "nucleo_l452re_p").code
    assert [(start - FLASH, data.hex()) for start, data in code.pieces] == [(0, "013002307047"), (14, "7047")]


@pytest.mark.arm
def test_neighbouring_blocks_become_one_piece(elf: Path) -> None:
    blocks = Block(FLASH, FLASH + 2, 1), Block(FLASH + 2, FLASH + 6, 2), Block(FLASH, FLASH + 4, 2)
    code = record(counts(*blocks), elf, "nucleo_l452re_p").code
    assert [(start - FLASH, data.hex()) for start, data in code.pieces] == [(0, "013002307047")]


@pytest.mark.arm
def test_code_outside_of_the_firmware_is_not_made_up(elf: Path) -> None:
    ram, beyond = Block(0x20000000, 0x20000004, 2), Block(FLASH + 18, FLASH + 24, 3)
    recording = record(counts(ram, beyond), elf, "nucleo_l452re_p")
    assert recording.code.pieces == [] and recording.counts.blocks[:2] == (ram, beyond)
    assert recording.code.instructions(ram) == () == recording.code.instructions(beyond)


@pytest.mark.arm
def test_nothing_was_executed(elf: Path) -> None:
    recording = record(counts(), elf, "nucleo_l452re_p")
    assert recording.code.pieces == [] and recording.lines == ()


def test_a_file_that_is_no_elf(tmp_path: Path) -> None:
    (tmp_path / "a.elf").write_bytes(b"text")
    with pytest.raises(DataError, match=r"'a\.elf' is not a readable ELF file"):
        record(counts(), tmp_path / "a.elf", "nucleo_l452re_p")
