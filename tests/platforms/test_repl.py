"""The parser of platform descriptions: what Renode reads it reads alike, and what Renode refuses it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.platforms.repl import Entry, Irq, Name, New, Range, Registration, load, parse
from tests.platforms.repl_layout import ReplError

EVERYTHING = """\
// A comment, then an empty line.

nvic: IRQControllers.NVIC @ sysbus 0xE000_E000 // and another
    priorityMask: 0xF0
    IRQ -> cpu@0

cpu: CPU.CortexM @ sysbus
    cpuType: "cortex-m4"
    nvic: nvic
    Fraction: 1.5

memory: Memory.MappedMemory @ {
    sysbus 0x0;
    sysbus <0x1000, +0x10>
    }
    size: 16
    init:
        ZeroAll
        WriteDoubleWord 0x0   0x1234  // why

part: Some.Thing @ sysbus new Bus.BusRangeRegistration { address: 0x2000; size: 0x8; offset: 0x4 }
    mode: Mode.Fast
    quick: true
    [0-2, Extra] -> nvic@[5-3, 7]
    4 -> nvic#2@1 | cpu@0

script: Python.PythonPeripheral @ none
    size: 0x4
    script: '''
regs = {0: "x"}
    // no comment
'''

sysbus:
    init:
        Tag <0x3000 0x400> "NAME"
"""


def entries(text: str) -> dict[str, Entry]:
    return {entry.name: entry for entry in parse(text).entries}


def test_everything() -> None:
    found = entries(EVERYTHING)
    assert list(found) == ["nvic", "cpu", "memory", "part", "script", "sysbus"]
    assert found["nvic"].registrations == [Registration("sysbus", 0xE000E000)]
    assert found["nvic"].attributes == {"priorityMask": 0xF0} and found["nvic"].irqs == [Irq("IRQ", "cpu", 0)]
    assert found["cpu"].attributes == {"cpuType": "cortex-m4", "nvic": Name("nvic"), "Fraction": 1.5}
    assert found["memory"].registrations == [Registration("sysbus", 0), Registration("sysbus", Range(0x1000, 0x1010))]
    assert found["memory"].init == ["ZeroAll", "WriteDoubleWord 0x0 0x1234"]
    assert found["part"].registrations == [
        Registration("sysbus", New("Bus.BusRangeRegistration", {"address": 0x2000, "size": 8, "offset": 4}))
    ]
    assert found["part"].attributes == {"mode": Name("Mode.Fast"), "quick": True}
    expected = [Irq(0, "nvic", 5), Irq(1, "nvic", 4), Irq(2, "nvic", 3), Irq("Extra", "nvic", 7)]
    assert found["part"].irqs == [*expected, Irq(4, "nvic", 1, local=2), Irq(4, "cpu", 0)]
    assert found["script"].registrations == [Registration(None)]
    assert found["script"].attributes["script"] == '\nregs = {0: "x"}\n    // no comment\n'
    assert found["sysbus"].init == ['Tag <0x3000 0x400> "NAME"']


REFUSED = {
    "a tab": ("a: B @ sysbus 0x0\n\tsize: 1\n", "tab"),
    "two spaces": ("a: B @ sysbus 0x0\n  size: 1\n", "indented by 2"),
    "two levels at once": ("a: B @ sysbus 0x0\n        size: 1\n", "indented by 8"),
    "the first line indented": ("    a: B @ sysbus 0x0\n", "first line"),
    "an open string": ('a: B @ sysbus 0x0\n    name: "x\n', "unclosed string"),
    "an open ''' string": ("a: B @ none\n    script: '''\nx\n", "unclosed '''"),
    "one ''' string on the heels of another": ("a: B @ none\n    one: '''x''' two: '''y'''\n", "another begins"),
    "a backslash": ("a: B @ none\n    script: '''\nx = '\\n'\n'''\n", "backslash"),
    "a brace too many in a script": ("a: B @ none\n    script: '''\nx = {\n'''\n", "not balanced"),
    "a brace between quotes does not count": ("a: B @ none\n    script: '''\nx = {\"}\"\n'''\n", "not balanced"),
    "a comment that is none": ("a: B @ sysbus 0x0// size\n", "begins no comment"),
    "a block comment": ("a: B @ sysbus 0x0 /* size */\n", "/* */"),
    "an attribute without a colon": ("a: B @ sysbus 0x0\n    size 1\n", "an attribute or an arrow"),
    "an attribute without a value": ("a: B @ sysbus 0x0\n    size:\n", "expected a value"),
    "an attribute twice": ("a: B @ sysbus 0x0\n    size: 1\n    size: 2\n", "has 'size' twice"),
    "an arrow to nowhere": ("a: B @ sysbus 0x0\n    IRQ -> nvic\n", "expected @"),
    "more outputs than inputs": ("a: B @ sysbus 0x0\n    [0-3] -> nvic@[1-3]\n", "4 outputs drive 3 inputs"),
    "an empty range": ("a: B @ sysbus <0x10, 0x10>\n", "is empty"),
    "an empty entry": ("a:\n", "is empty"),
    "a type that is none": ("a: 3 @ sysbus 0x0\n", "is empty"),
    "a keyword for a name": ("new: B @ sysbus 0x0\n", "is a keyword"),
    "an entry that does not end": ("a: B @ sysbus 0x0 0x1\n", "expected ;"),
    "a list of values": ("a: B @ sysbus 0x0\n    pins: [1, 2]\n", "newer than"),
    "preinit": ("a: B @ sysbus 0x0\n    preinit:\n        include @x.cs\n", "newer than"),
}


@pytest.mark.parametrize("mistake", REFUSED)
def test_refused(mistake: str) -> None:
    text, words = REFUSED[mistake]
    with pytest.raises(ReplError) as caught:
        parse(text)
    assert words in str(caught.value)


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_using_merges(tmp_path: Path) -> None:
    chip = "nvic: N @ sysbus 0x0\n    frequency: 1\n\n"
    chip += "part: P @ sysbus 0x100\n    [0-1] -> nvic@[4-5]\n    init:\n        One\n"
    write(tmp_path, "chip.repl", chip)
    board = 'using "./chip.repl"\n\nnvic:\n    frequency: 2\n\npart:\n    1 -> nvic@9\n    init add:\n        Two\n'
    found = load(write(tmp_path, "board.repl", board))
    assert found["nvic"].type == "N" and found["nvic"].attributes == {"frequency": 2}
    assert found["part"].irqs == [Irq(0, "nvic", 4), Irq(1, "nvic", 9)]
    assert found["part"].init == ["One", "Two"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('using "./missing.repl"\n', "no file"),
        ('using "./itself.repl"\n', "uses itself"),
        ("part:\n    size: 1\n", "never declared"),
        ("part: P @ sysbus 0x0\n\npart: P @ sysbus 0x4\n", "declared twice"),
        ("part: P @ sysbus 0x0\n    -> nvic@3\n", "interrupts 'nvic'"),
        ("part: P @ gpio 3\n", "registered at 'gpio'"),
    ],
)
def test_files_that_do_not_fit(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ReplError) as caught:
        load(write(tmp_path, "itself.repl", text))
    assert words in str(caught.value)
