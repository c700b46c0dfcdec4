"""Boards: the ones that come with mcusim are right, and a user's own file is either right or explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.boards.load import board_names, load_board
from mcusim.system.assets import PLATFORMS
from mcusim.system.errors import ConfigurationError

BOARD = """\
title = "Mine"
chip = "stm32l452re"
clock_hz = 48_000_000
supply_v = 3.3
current_a = 1e-3

[memory]
flash = { origin = 0x0800_0000, size_bytes = 524_288 }
ram = { origin = 0x2000_0000, size_bytes = 131_072 }
"""
CHIP = """\
title = "Chip"
core = "cortex-m4"
fpu = "fpv4-sp-d16"
interrupts = 10
priority_bits = 4

[memory.flash]
kind = "flash"
origin = 0x0800_0000
size_bytes = 524_288

[memory.sram]
kind = "ram"
origin = 0x2000_0000
size_bytes = 131_072
"""


def test_every_file_of_the_tree_loads() -> None:
    assert set(board_names()) >= {"nucleo_l452re_p", "sparkfun_edge"}
    boards = [load_board(name) for name in board_names()]
    used = {board.chip.name for board in boards}
    assert used <= {path.stem for path in (PLATFORMS / "chips").glob("*.toml")}


def test_figures_of_the_paper() -> None:
    """Table 3 of MicroAI: both at 48 MHz and 3.3 V."""
    nucleo, edge = load_board("nucleo_l452re_p"), load_board("sparkfun_edge")
    for board, current_a, flash_kib, ram_kib in ((nucleo, 4.80e-3, 512, 128), (edge, 0.82e-3, 1024, 384)):
        assert (board.clock_hz, board.supply_v, board.current_a) == (48_000_000, 3.3, current_a)
        assert board.chip.memory["flash"].size_bytes == flash_kib * 1024
        assert board.memory.ram.size_bytes == ram_kib * 1024 and board.memory.stack_bytes == 4096
    assert edge.memory.flash.origin == 0xC000  # after the boot loader


def write(folder: Path, text: str = BOARD, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_board_of_the_user(tmp_path: Path) -> None:
    board = load_board(write(tmp_path))
    assert (board.name, board.chip.title, board.qemu) == ("mine", "STM32L452RE", None)
    assert load_board(str(tmp_path / "mine.toml")) == board
    write(tmp_path, CHIP, "own.toml")
    own = load_board(write(tmp_path, BOARD.replace("stm32l452re", "own.toml")))
    assert own.chip.name == "own"


def test_unknown_chip_may_be_a_file_of_ones_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="unknown chip 'stm32l476rg'") as caught:
        load_board(write(tmp_path, BOARD.replace("stm32l452re", "stm32l476rg")))
    assert "chip = 'own.toml' takes a file beside the board's" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("nucleo", ("nucleo_l452re_p", "nucleo_l4r5zi")),
        ("nucleo_l452re", ("nucleo_l452re_p",)),
        ("STM32L452", ("nucleo_l452re_p",)),
        ("Nucleo-L452RE-P", ("nucleo_l452re_p",)),
        ("apollo3", ("sparkfun_edge",)),
    ],
)
def test_unknown_board_is_likely_one_of_such_a_name_title_or_chip(name: str, meant: tuple[str, ...]) -> None:
    """Whatever boards there are besides."""
    with pytest.raises(ConfigurationError) as caught:
        load_board(name)
    hint = str(caught.value.hint)
    assert repr(name) in caught.value.what
    assert hint.startswith("did you mean ") and all(repr(one) in hint for one in meant)
    assert repr("sparkfun_edge") not in hint or "sparkfun_edge" in meant


@pytest.mark.parametrize("name", ["esp32", ""])
def test_unknown_board_like_none_is_told_all(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"unknown board {name!r}") as caught:
        load_board(name)
    assert caught.value.hint == f"known: {', '.join(board_names())}"


# What is changed in the file above, and words of the error.
MISTAKES = {
    "unknown key": ("supply_v", "suply_v", "unknown key 'suply_v'"),
    "unknown key in a table": ("ram =", "rem =", "unknown key 'rem'"),
    "unknown key inside": ("size_bytes = 131_072", "size_byte = 131_072", "unknown key 'size_byte'"),
    "missing key": ("clock_hz = 48_000_000\n", "", "key 'clock_hz' is missing"),
    "missing table": (BOARD[BOARD.index("[memory]") :], "", "key 'memory' is missing"),
    "no chip": ('chip = "stm32l452re"\n', "", "names no chip"),
    "chip of a wrong type": ('"stm32l452re"', "3", "names no chip"),
    "unknown chip": ("stm32l452re", "stm32l452", "unknown chip 'stm32l452'"),
    "missing chip file": ("stm32l452re", "no/such.toml", "cannot read 'such.toml'"),
    "wrong type": ("48_000_000", '"48 MHz"', "it is '48 MHz'"),
    "float for an integer": ("48_000_000", "48e6", "48000000.0"),
    "negative": ("3.3", "-3.3", "greater than 0"),
    "not a number": ("3.3", "nan", "finite"),
    "zero clock": ("48_000_000", "0", "greater than 0"),
    "a clock of light": ("48_000_000", "99_999_999_999", "less than or equal to"),
    "infinite": ("3.3", "1e5000", "finite"),
    "overflows later": ("3.3", "1e308", "less than or equal to"),
    "a very long number": ("48_000_000", "9" * 4000, "clock_hz"),
    "a switch for a number": ("3.3", "true", "number"),
    "flash where ram is": ("0x0800_0000", "0x2000_0000", "flash (0x20000000..0x2007FFFF) overlaps ram"),
    "flash too large": ("524_288", "1_048_576", "does not lie in any flash of chip 'stm32l452re'"),
    "ram elsewhere": ("0x2000_0000", "0x3000_0000", "does not lie in any ram"),
    "code where ram is": (
        "131_072 }",
        "131_072 }\ncode_ram = { origin = 0x2000_0000, size_bytes = 1024 }",
        "code_ram (0x20000000..0x200003FF) overlaps ram",
    ),
    "code elsewhere": (
        "131_072 }",
        "131_072 }\ncode_ram = { origin = 0x3000_0000, size_bytes = 1024 }",
        "memory.code_ram (0x30000000..0x300003FF) does not lie in any ram",
    ),
    "beyond 32 bits": ("0x2000_0000", "0xFFFF_FC00", "ends beyond"),
    "odd size": ("131_072", "131_071", "multiple of 1024"),
    "stack takes all": ("131_072 }", "131_072 }\nstack_bytes = 131_072", "leaves nothing of ram"),
    "tiny stack": ("131_072 }", "131_072 }\nstack_bytes = 64", "greater than or equal to 256"),
    "uneven stack": ("131_072 }", "131_072 }\nstack_bytes = 1001", "multiple of 8"),
    "reset inside flash": ("131_072 }", "131_072 }\nreset_at = 0x0800_0100", "lies in flash"),
    "qemu without machine": ("[memory]", "[qemu]\n[memory]", "key 'machine' is missing"),
    "qemu with a trick": ("[memory]", '[qemu]\nmachine = "x,y"\n[memory]', "it is 'x,y'"),
    "qemu with a bad map": (
        "[memory]",
        '[qemu]\nmachine = "x"\nram = { origin = 0x0800_0000, size_bytes = 1024 }\n[memory]',
        "overlaps",
    ),
    "not TOML": ("[memory]", "[memory", "is not TOML"),
    "named inside": ("title", 'name = "x"\ntitle', "unknown key 'name'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_explained(mistake: str, tmp_path: Path) -> None:
    old, new, words = MISTAKES[mistake]
    assert old in BOARD
    with pytest.raises(ConfigurationError) as caught:
        load_board(write(tmp_path, BOARD.replace(old, new)))
    assert words in str(caught.value)
    assert caught.value.where is not None and str(tmp_path) in caught.value.where
    assert caught.value.hint, "one thing to do"


WHOLE = (PLATFORMS / "boards" / "nucleo_l452re_p.toml").read_text(encoding="utf-8")
HIGH = "write = 0x0000_0100 }"

# What is changed in the file of a board that has all there is, and words of the error.
MISTAKES_OF_STEPS = {
    "no platform": ('platform = "', 'platform = "no_', "no platform file 'no_nucleo_l452re_p.repl'"),
    "a step of nothing": ("\nwrite = 0x0000_0702", "", "needs one of: write, clear and set, mask and equals"),
    "a step of two things": ("equals = 0x0000_0002", "equals = 0x0000_0002\nset = 1", "needs one of: write"),
    "a wait for ever": ("equals = 0x80", "equals = 0x180", "waits for bits that its mask does not have"),
    "no wait": ("mask = 0x40, equals = 0x40", "write = 0x40", "console.idle is no wait"),
    "half of receiving": ("data_in = 0x4000_4424\n", "", "only one of receive and data_in"),
    "a rate twice": ("baud = 230400", "baud = 460800", "console.rates are not the rates of a console that receives"),
    "not the first rate": ("baud = 115200", "baud = 57600", "115200 among them"),
    "a pin that waits": (HIGH, "mask = 1, equals = 1 }", "energy_pin.high is a wait"),
}


@pytest.mark.parametrize("mistake", MISTAKES_OF_STEPS)
def test_mistakes_in_what_starts_a_board_are_explained(mistake: str, tmp_path: Path) -> None:
    old, new, words = MISTAKES_OF_STEPS[mistake]
    assert old in WHOLE
    (tmp_path / "nucleo_l452re_p.repl").touch()
    assert load_board(write(tmp_path, WHOLE)).energy_pin
    with pytest.raises(ConfigurationError) as caught:
        load_board(write(tmp_path, WHOLE.replace(old, new, 1)))
    assert words in str(caught.value) and str(tmp_path) in str(caught.value.where) and caught.value.hint


def test_suggestions_and_lines(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_board(write(tmp_path, BOARD.replace("current_a", "curent_a")))
    assert caught.value.hint == "did you mean 'current_a'?"
    assert caught.value.where == f"{tmp_path}/mine.toml:5, curent_a"


def test_overlapping_chip_regions(tmp_path: Path) -> None:
    write(tmp_path, CHIP.replace("0x2000_0000", "0x0804_0000"), "own.toml")
    with pytest.raises(ConfigurationError, match=r"memory 'flash' \(.*\) overlaps memory 'sram'"):
        load_board(write(tmp_path, BOARD.replace("stm32l452re", "own.toml")))


ALIAS = """
[memory.again]
kind = "ram"
origin = 0x1000_0000
size_bytes = 131_072
alias_of = "sram"
"""
PERIPHERALS = """
[peripherals]
uart = { origin = 0x4000_0000, size_bytes = 1024, interrupts = [9] }
"""

TIMING = """
[timing]
wait_states_up_to_hz = [16_000_000, 32_000_000]
prefetch = true
instruction_cache = { sets = 1, ways = 32, line_bytes = 32, granule_bytes = 8 }
"""
REGISTER = """
[[registers]]
address = 0x4002_1000
follows = [[1, 0]]
"""

# What is added to the chip, what is changed there, and words of the error.
CHIP_MISTAKES = {
    "an alias of nothing": (ALIAS, '"sram"', '"dram"', "alias of 'dram', which is no region of its own"),
    "an alias of another kind": (ALIAS, '"ram"\norigin = 0x1', '"flash"\norigin = 0x1', "another kind or size"),
    "an alias of another size": (ALIAS, "131_072\nalias", "1024\nalias", "another kind or size"),
    "an alias of itself": (ALIAS, 'alias_of = "sram"', 'alias_of = "again"', "which is no region of its own"),
    "a kind that is none": (ALIAS, '"ram"\norigin = 0x1', '"eeprom"\norigin = 0x1', "it is 'eeprom'"),
    "registers over memory": (PERIPHERALS, "0x4000_0000", "0x2000_0000", "overlaps peripheral 'uart'"),
    "an interrupt too many": (PERIPHERALS, "[9]", "[9, 10]", "peripheral 'uart' has interrupt 10, the chip 10"),
    "clocks turned round": (
        "\n[clocks]\nreset_hz = 4_000_000\ncore_hz_max = 80_000_000\n",
        "4_000_000",
        "96_000_000",
        "reset_hz (96000000) is more than core_hz_max",
    ),
    "no wait states": (TIMING, "wait_states_up_to_hz = [16_000_000, 32_000_000]\n", "", "needs either wait_states or"),
    "wait states by both": (TIMING, "prefetch", "wait_states = 1\nprefetch", "needs either wait_states or"),
    "wait states turned round": (TIMING, "[16_000_000", "[64_000_000", "does not ascend"),
    "a bit that follows two": (REGISTER, "[[1, 0]]", "[[1, 0, 2]]", "'follows' is no list of pairs"),
}


@pytest.mark.parametrize("mistake", CHIP_MISTAKES)
def test_mistakes_in_a_chip(mistake: str, tmp_path: Path) -> None:
    added, old, new, words = CHIP_MISTAKES[mistake]
    assert old in added
    board = write(tmp_path, BOARD.replace("stm32l452re", "own.toml"))
    write(tmp_path, CHIP + added, "own.toml")
    assert load_board(board).chip.name == "own"
    write(tmp_path, CHIP + added.replace(old, new), "own.toml")
    with pytest.raises(ConfigurationError) as caught:
        load_board(board)
    assert words in str(caught.value)
    assert caught.value.hint, "one thing to do"


def test_firmware_does_not_lie_in_an_alias(tmp_path: Path) -> None:
    """There the linker would see one memory as two."""
    write(tmp_path, CHIP + ALIAS, "own.toml")
    board = BOARD.replace("stm32l452re", "own.toml").replace("0x2000_0000", "0x1000_0000")
    with pytest.raises(ConfigurationError, match="does not lie in any ram"):
        load_board(write(tmp_path, board))


def test_not_a_file(tmp_path: Path) -> None:
    for name in ("nothing.toml", "folder.toml", "bytes.toml"):
        (tmp_path / "folder.toml").mkdir(exist_ok=True)
        (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ConfigurationError):
            load_board(tmp_path / name)


def test_a_board_that_is_like_another(tmp_path: Path) -> None:
    """Says what is different; its chip and its platform are the other one's."""
    edge, svl = load_board("sparkfun_edge"), load_board("sparkfun_edge_svl")
    assert svl.memory.flash.origin == 0x10000 and svl.memory.flash.end == edge.memory.flash.end
    assert svl.name not in board_names() and svl.renode == edge.renode and svl.title != edge.title
    changed = {"name", "title", "memory"}
    assert svl.model_dump(exclude=changed) == edge.model_dump(exclude=changed)
    assert svl.memory.model_dump(exclude={"flash"}) == edge.memory.model_dump(exclude={"flash"})
    (tmp_path / "base.toml").write_text((PLATFORMS / "boards" / "nucleo_l4r5zi.toml").read_text(), encoding="utf-8")
    (tmp_path / "mine.toml").write_text('like = "base.toml"\nclock_hz = 1_000_000\n', encoding="utf-8")
    assert load_board(tmp_path / "mine.toml").clock_hz == 1_000_000


@pytest.mark.parametrize(
    ("like", "words"),
    [
        ("7", "like is no text"),
        ('"sparkfun_egde"', "unknown board 'sparkfun_egde'"),
        ('"sparkfun_edge_svl"', "'mine' is like 'sparkfun_edge_svl', which is like another one"),
    ],
)
def test_a_board_like_none(like: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f"like = {like}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=words) as caught:
        load_board(file)
    assert str(file) in str(caught.value.where) and caught.value.hint
