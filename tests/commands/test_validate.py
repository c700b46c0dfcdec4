"""mcusim validate: predicted against measured, and every row that cannot be right."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mcusim.commands.cli import execute
from mcusim.engines.unicorn import engine as unicorn
from mcusim.system.elf import read_elf
from mcusim.system.toolchain import find_arm_tool
from mcusim.timing.record import read_record
from tests.engines.qemu.bare_firmware import build_bare
from tests.required import skip_or_fail

pytestmark = pytest.mark.arm
HEAD = "image,from,to,calls,board,clock,measured,source\n"
# 4 calls of 3 loads, an addition and a branch a turn.
MAIN = """
__attribute__((noinline, noclone)) int work(int n) { while (n) { n--; __asm__ volatile("nop"); } return n; }
volatile int sink;
int main(void) { for (int i = 0; i < 4; i++) { sink = work(100); } return 0; }
"""


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("validate")
    elf = build_bare(folder, {"main.c": MAIN})
    for goal, *flags in (("flat.bin", "-Obinary"), ("flat.hex", "-Oihex"), ("bare.elf", "-S")):
        subprocess.run([find_arm_tool("objcopy"), *flags, elf, folder / goal], check=True)
    return folder


def validate(folder: Path, rows: str, *words: str, head: str = HEAD) -> int:
    (folder / "rows.csv").write_text(head + rows)
    return execute(["validate", str(folder / "rows.csv"), *words])


def test_the_same_cycles_from_every_file(firmware: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work = f"0x{read_elf(firmware / 'firmware.elf').symbols['work'].address | 1:08x}"
    rows = f"firmware.elf,work,,4,nucleo_l452re_p,16MHz,500,a\nbare.elf,{work},,2,nucleo_l452re_p,16e6,500,b\n"
    rows += f"flat.bin,{work},,,nucleo_l452re_p,16000000,500,c\nflat.hex,{work},,,nucleo_l452re_p,16 MHz,400,d\n"
    assert validate(firmware, rows, "--load-address", "0x08000000", "--engine", "qemu") == 0
    _, *found, summary, by_kind = capsys.readouterr().out.splitlines()
    assert by_kind.startswith("integer, held-out: 4 rows: ")
    predicted = {line.split()[4] for line in found}
    assert len(found) == 4 and len(predicted) == 1
    cycles = float(predicted.pop())
    assert 300 < cycles < 700  # 100 turns of three to five
    assert f"{cycles / 4 - 100:+.2f}%" in found[3] and summary.startswith("4 rows: median ")


def test_rows_become_lines_of_a_record(firmware: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With their kind, and summed by it; the same again takes their place."""
    row = "firmware.elf,work,,4,nucleo_l452re_p,"
    rows, head = f"{row}16MHz,500,me,\n{row}80MHz,400,me,fitted\n", HEAD.replace("source", "source,use")
    record = tmp_path / "record.csv"
    for _ in range(2):
        assert validate(firmware, rows, "--record", str(record), "--engine", "qemu", head=head) == 0
    lines = read_record(record)
    assert [(one.clock_hz, one.use) for one in lines] == [(16_000_000, "held-out"), (80_000_000, "fitted")]
    assert {(one.record, one.chip, one.kinds, one.source) for one in lines} == {
        ("stm32l4", "stm32l452re", ("integer",), "me")
    }
    out = capsys.readouterr().out
    assert "integer, held-out: 1 rows: median" in out and "integer, fitted: 1 rows: median" in out
    record.write_text("nothing")
    assert validate(firmware, rows, "--record", str(record), head=head) == 3
    assert "no record of measured programs" in capsys.readouterr().err
    assert validate(firmware, rows.replace("fitted", "guessed"), "--engine", "qemu", head=head) == 3
    assert "'use' is 'guessed'" in capsys.readouterr().err


def test_a_bound_that_is_broken(firmware: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "firmware.elf,work,,4,nucleo_l452re_p,,9000,a\n"
    assert validate(firmware, rows, "--max-median", "99", "--max-p90", "99") == 0
    assert validate(firmware, rows, "--max-median", "5", "--max-p90", "99") == 7
    assert "median of 9" in capsys.readouterr().err
    assert validate(firmware, rows, "--max-p90", "5") == 7


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("gone.elf,work,,,nucleo_l452re_p,,9,", "there is no 'gone.elf'"),
        ("gone.bin,0x08000401,,,nucleo_l452re_p,,9,", "no such file"),
        ("flat.bin,0x08000401,,,nucleo_l452re_p,,9,", "--load-address"),
        ("firmware.elf,wrok,,,nucleo_l452re_p,,9,", "did you mean 'work'?"),
        ("bare.elf,work,,,nucleo_l452re_p,,9,", "has no symbols"),
        ("flat.hex,work,,,nucleo_l452re_p,,9,", "flat.hex\n  hint: give an address"),
        ("flat.hex,0x08000401,,,sparkfun_edge,,9,", "line 2: {folder}/flat.hex\n"),
        ("firmware.elf,work,gone,,nucleo_l452re_p,,9,", "no symbol 'gone'"),
        ("firmware.elf,,,,nucleo_l452re_p,,9,", "'from' is empty"),
        ("firmware.elf,work,,,,,9,", "'board' is empty"),
        ("firmware.elf,work,,,nucleo,,9,", "unknown board 'nucleo'"),
        ("firmware.elf,work,,,nucleo_l452re_p,fast,9,", "'fast' is no clock"),
        ("firmware.elf,work,,,nucleo_l452re_p,81MHz,9,", "does not run at 81 MHz"),
        ("firmware.elf,work,,-1,nucleo_l452re_p,,9,", "'-1' is no number of calls"),
        ("firmware.elf,work,,,nucleo_l452re_p,,0,", "'0' is no measured value"),
        ("firmware.elf,work,,,nucleo_l452re_p,,about 9,", "'about 9' is no measured value"),
        ("firmware.elf,work,,,nucleo_l452re_p,,5e-324,", "'5e-324' is no measured value"),
        ("firmware.elf,work,,,nucleo_l452re_p,,nan,", "'nan' is no measured value"),
        ("firmware.elf,work,,,nucleo_l452re_p,,,", "'measured' is empty"),
        ("firmware.elf,work,,,sparkfun_edge,,9,", "loaded at 0x08000000..0x"),
        (",work,,,nucleo_l452re_p,,9,", "'image' is empty"),
    ],
)
def test_a_row_that_cannot_be_right(row: str, words: str, firmware: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = validate(firmware, row + "\n")
    said = capsys.readouterr().err
    assert words.format(folder=firmware) in said and "rows.csv, line 2" in said
    assert "hint:" in said and "mcusim-validate-" not in said and code in (2, 3, 5)


def test_the_name_that_is_proposed_is_there(firmware: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that is far from all others: some function of the file is named, and it works."""
    assert validate(firmware, "firmware.elf,0123456789,,,nucleo_l452re_p,,9,\n") == 2
    proposed = capsys.readouterr().err.rpartition("--from ")[2].strip()
    assert proposed in read_elf(firmware / "firmware.elf").symbols


def test_all_that_is_wrong_is_told_at_once(firmware: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert validate(firmware, "gone.elf,a,,,nucleo_l452re_p,,9,\nfirmware.elf,work,,,nucleo_l452re_p,,0,\n") != 0
    said = capsys.readouterr().err
    assert "line 2" in said and "line 3" in said


@pytest.mark.parametrize(
    ("head", "words"),
    [("image,from\n", "no column 'to'"), ("", "no column 'image'"), (HEAD, "has no rows"), ("\x00\n", "rows.csv")],
)
def test_a_table_that_is_none(head: str, words: str, firmware: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert validate(firmware, "" if head == HEAD else "a,b\n", head=head) == 3
    assert words in capsys.readouterr().err


def test_what_the_machine_has_not_is_told_with_its_address(
    firmware: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The board has it, QEMU's machine has not."""
    text = '__attribute__((section(".far"))) int far[4] = {1, 2, 3, 4};' + MAIN
    build_bare(tmp_path, {"main.c": text}, "-Wl,--section-start=.far=0x20040000")
    assert validate(tmp_path, "firmware.elf,work,,,nucleo_l4r5zi,,9,\n", "--engine", "qemu") == 6
    assert "0x20040000..0x2004000F (sram3), where QEMU's netduinoplus2 has no memory" in capsys.readouterr().err


def test_calls_that_never_come(firmware: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert validate(firmware, "firmware.elf,work,,5,nucleo_l452re_p,,9,\n") == 6
    assert "was called 4 times, and not 5" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["no", "-1", "0x100000000"])
def test_no_address(word: str, firmware: Path) -> None:
    assert validate(firmware, "", "--load-address", word) == 2


def test_an_engine_that_runs_none(firmware: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert validate(firmware, "", "--engine", "host") == 2
    assert "runs a firmware of others" in capsys.readouterr().err


# Reception by interrupt on USART2 of an STM32L4R5; SysTick has to come three times before it says that it is ready.
LISTENER = """
#include <stdint.h>
#define REGISTER(address) (*(volatile uint32_t *)(address))
__attribute__((noinline, noclone)) int work(int n) { while (n) { n--; __asm__ volatile("nop"); } return n; }
volatile int sink, ticks, wanted;
void tick(void) { ticks++; }
void received(void) { wanted += (REGISTER(0x4000441C) & 0x20) && REGISTER(0x40004424) == 'g'; }
void (*table[64])(void) __attribute__((aligned(512)));
int main(void)
{
    table[15] = tick, table[16 + 38] = received;
    REGISTER(0xE000ED08) = (uint32_t)table;
    REGISTER(0x40021000) |= 0x100;
    while (!(REGISTER(0x40021000) & 0x400)) { }
    REGISTER(0xE000E104) = 1u << 6, REGISTER(0x40004400) = 0x25;
    REGISTER(0xE000E010) = 3;
    while (ticks < 3) { }
    for (const char *text = "ready>"; *text; text++) { REGISTER(0x40004428) = *text; }
    if (wanted) { for (;;) { } }
    for (int done = 0;;) { if (done < wanted) { sink = work(100); done++; } }
}
"""


def test_serial_input(firmware: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It comes once the firmware has said so, by interrupts; the calls cost what they cost elsewhere."""
    lacking = unicorn.missing()
    if lacking is not None:
        skip_or_fail("unicorn", lacking.what)
    build_bare(tmp_path, {"main.c": LISTENER})
    (tmp_path / "input.txt").write_bytes(b"ggg")
    head, row = HEAD.replace("source", "serial,serial_after"), "firmware.elf,work,,3,nucleo_l4r5zi,20MHz,500,"
    rows = f"{row}xgg\\x67,ready>\n{row}@input.txt,ready>\n"
    assert validate(tmp_path, rows, "--stall", "20", head=head) == 0
    assert validate(firmware, row.replace(",3,", ",4,") + ",\n", "--engine", "unicorn", head=head) == 0
    predicted = [line.split()[4] for line in capsys.readouterr().out.splitlines() if "nucleo_l4r5zi" in line]
    assert len(predicted) == 3 and len(set(predicted)) == 1
    assert validate(tmp_path, rows, "--engine", "qemu", head=head) == 6
    assert "no serial input in engine qemu" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("firmware.elf,work,,4,nucleo_l452re_p,,500,go,", "nothing is known of the serial ports of chip 'stm32l452re'"),
        ("firmware.elf,work,,4,nucleo_l4r5zi,,500,gö,", "'serial' is 'gö'"),
        ("firmware.elf,work,,4,nucleo_l4r5zi,,500,go,\\x", "'serial_after' is"),
        ("firmware.elf,work,,4,nucleo_l4r5zi,,500,@gone,", "'gone'"),
        ("firmware.elf,work,,4,nucleo_l4r5zi,,500,,ready>", "'serial_after' has what comes before no input"),
    ],
)
def test_serial_input_that_is_none(row: str, words: str, firmware: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert validate(firmware, row + "\n", head=HEAD.replace("source", "serial,serial_after")) in (2, 3)
    assert words in capsys.readouterr().err
