"""The GDB client against a server that is played, with the habits of real ones. Real stubs: test_stubs.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mcusim.boards.load import load_board
from mcusim.engines.engine import Job, records
from mcusim.engines.hardware.attached import Attached
from mcusim.engines.hardware.run_on import BoardTrouble, Stopped
from mcusim.engines.probe import gdb as clients
from mcusim.engines.probe import packets
from mcusim.engines.probe.connection import Connected
from mcusim.engines.probe.gdb import Gdb, crc_of_gdb
from mcusim.engines.probe.mailbox import word
from mcusim.engines.probe.target import ANSWER_S, Refused
from mcusim.system.errors import EngineError
from tests.engines.probe.board import FLASH, RAM, PlayedBoard, answer_of, image
from tests.engines.probe.listening import listening
from tests.engines.probe.server import Served, packet
from tests.tiny_library import samples

NUCLEO = load_board("nucleo_l452re_p")
EVERY_BYTE = bytes(range(256)) + b"}}##$$**"


@contextmanager
def client(served: Served) -> Iterator[Gdb]:
    with listening(served.serve) as port:
        target = Gdb("127.0.0.1", port, None, lambda: False)
        try:
            yield target
        finally:
            target.close()


HABITS = {
    "OpenOCD": Served(features=b"PacketSize=80;QStartNoAckMode+"),
    "Renode": Served(twice=True, monitor=b"Renode, version 1.16.1 (d66b0c2a-202602160000)\r\n"),
    "hexadecimal writes": Served(binary=False),
    "pyOCD": Served(
        monitor=b"Core 0 (Cortex-M4):  Halted\n", asked=b"status", features=b"PacketSize=80;QStartNoAckMode+"
    ),
    "a bad line": Served(damaged=2),
    "no size": Served(features=b""),
}


@pytest.mark.parametrize("habit", HABITS)
def test_samples_by_a_server(habit: str) -> None:
    """Through the socket as without one, and every byte of memory."""
    served = replace(HABITS[habit], board=PlayedBoard(), heard=[])
    with client(served) as target:
        target.write(RAM + 0x400, EVERY_BYTE)
        assert target.read(RAM + 0x400, len(EVERY_BYTE)) == EVERY_BYTE
        assert target.version in ("0.12", "1.16", "") and target.program_counter() == FLASH + 64
        inputs = samples(4)
        job = Job(image(), records(inputs), Path(), NUCLEO)
        found = Connected(
            target, Attached(id="x", type=NUCLEO.name), job, NUCLEO, job.image, NUCLEO.memory, lambda: False
        )
        found.clock_hz = None
        target.emulator = True  # no clock to be measured
        found.begin()
        for index, sample in enumerate(inputs):
            assert found.answer(sample.tobytes(), index).output == answer_of(sample.tobytes())
        assert found.end() == 48
    assert served.heard.count(b"c") == 1 + 4 + 1 and served.heard[-1] == b"D"


def test_a_server_that_looks_seldom_is_told_to_look() -> None:
    """The stop is told before the answer to that. Others are asked nothing, for some stop the core at any byte."""
    look = b"qRcmd," + b"poll".hex().encode()
    served = Served(answers={b"c": None, look: b"T05"})
    with client(served) as target:
        target.go()
        assert target.stopped(300.0) and not target.stopped(0.0)
    assert look in served.heard
    other = replace(HABITS["Renode"], board=PlayedBoard(), answers={b"c": None}, heard=[])
    with client(other) as target:
        target.go()
        assert not target.stopped(0.02)
    assert other.heard[-3:] == [b"c", b"\x03", b"D"]


STEPS = {
    "QEMU": (Served(monitor=b"7.2.22 (Debian 1:7.2+dfsg)\r\n", asked=b"info version"), [b"s", b"c"]),
    "others": (Served(), [b"z1,8000000,2", b"s", b"Z1,8000000,2", b"c"]),
}


@pytest.mark.parametrize("server", STEPS)
def test_a_core_at_a_breakpoint_goes_on(server: str) -> None:
    """Two packets fewer, and stops of a machine, where a step is known to leave a breakpoint that is set."""
    played, said = STEPS[server]
    served = replace(played, board=PlayedBoard(), heard=[])
    with client(served) as target:
        assert target.break_at(FLASH)
        target.go()
        assert target.stopped(ANSWER_S)
    before = served.heard.index(b"Z1,8000000,2") + 1
    assert served.heard[before : before + len(said)] == said


def test_flash_is_erased_in_its_blocks_and_compared_by_its_sum() -> None:
    board = PlayedBoard()
    with client(Served(board=board)) as target:
        pieces = [(FLASH, EVERY_BYTE), (FLASH + 0x700, b"12345678" * 64), (FLASH + 0x2000, b"x")]
        target.load(pieces)
        assert all(target.same(address, data) for address, data in pieces)
        assert not target.same(FLASH, EVERY_BYTE[::-1])
    assert board.told == ["vFlashErase:8000000,1000", "vFlashErase:8002000,800", "vFlashDone"]


def test_a_reset_that_looks_for_vectors_elsewhere() -> None:
    """What a core does by itself ends so; then its registers are as flash says, which some boards have not at 0."""
    board = PlayedBoard()
    board.poke(FLASH, word(RAM + 0x1000) + word(FLASH + 0x41))
    served = replace(HABITS["Renode"], board=board, heard=[])
    with client(served) as target:
        target.reset(FLASH)
    assert board.peek(0xE000ED08, 4) == word(FLASH)
    assert b"qRcmd," + b"machine Reset".hex().encode() in served.heard[:-4]
    assert served.heard[-4:-1] == [b"Pd=00100020", b"Pf=40000008", b"P19=00000001"]


def test_the_sum_of_gdb() -> None:
    """As the manual of GDB defines it, bit by bit."""

    def slowly(data: bytes) -> int:
        crc = 0xFFFFFFFF
        for byte in data:
            crc ^= byte << 24
            for _ in range(8):
                crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
        return crc

    for data in (b"", b"\x01", EVERY_BYTE):
        assert crc_of_gdb(data) == slowly(data)


REFUSED = {
    b"m": (b"E01", Refused, "cannot read 4 bytes at 0x20000000"),
    b"vFlashErase": (b"E05", Refused, "OpenOCD cannot erase 0x08000000..0x080007ff in flash"),
    b"X": (b"E01", Refused, "cannot write"),
    b"p": (b"E01", Refused, "program counter"),
    b"s": (b"W00", BoardTrouble, "its target has ended"),
    b"Z1": (b"", BoardTrouble, "the GDB server is gone"),
}


@pytest.mark.parametrize("question", REFUSED)
def test_what_a_server_refuses_is_told(question: bytes) -> None:
    answer, kind, words = REFUSED[question]
    with client(Served(answers={question: answer})) as target, pytest.raises(kind, match=words) as caught:
        target.break_at(FLASH)
        target.go()
        target.write(RAM, bytes(4))
        target.read(RAM, 4)
        target.program_counter()
        target.load([(FLASH, b"1")])
    assert "127.0.0.1" in str(caught.value.where)


def test_no_wait_is_without_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served(answers={b"m": None, b"c": None, b"\x03": None})
    with client(served) as target:
        monkeypatch.setattr(clients, "ANSWER_S", 0.01)
        monkeypatch.setattr(clients, "_ENDING_S", 0.01)
        with pytest.raises(BoardTrouble, match=r"does not answer within 0\.01 s"):
            target._ask(b"m0,4", 0.01)
        target.go()
        assert not target.stopped(0.01)
        with pytest.raises(BoardTrouble, match="does not stop when it is told to"):
            target.halt()


def test_a_wait_ends_when_nobody_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    served, wanted = Served(answers={b"c": None}), [False]
    with listening(served.serve) as port:
        target = Gdb("127.0.0.1", port, None, lambda: wanted[0])
        target.break_at(FLASH)
        target.go()
        wanted[0] = True
        with pytest.raises(Stopped):
            target.stopped(300.0)
        target.close()
    assert served.heard[-3:] == [b"\x03", b"z1,8000000,2", b"D"]


OTHERS = {
    "unknown": (b"lldb-server 14\n", "none that mcusim knows"),
    "too old": (b"Open On-Chip Debugger 0.10.0\n", "this OpenOCD is too old: Open On-Chip Debugger 0.10"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_server_that_cannot_be_used(name: str) -> None:
    said, words = OTHERS[name]
    with pytest.raises(EngineError, match=words) as caught, client(Served(monitor=said)):
        pass
    assert caught.value.hint


def test_nobody_listens() -> None:
    with listening(Served().serve) as port:
        pass
    with pytest.raises(BoardTrouble, match="no GDB server answers: Connection refused") as caught:
        Gdb("127.0.0.1", port, None, lambda: False)
    assert caught.value.hint


def test_packets_of_a_liar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of nothing, escapes of nothing, sums that are none, and no end."""
    assert packets._plain(b"*!}") == b"*!}" and packets._plain(b"0* 1}\x03") == b"00001#"
    assert not packets._whole(packet(b"OK")[:-2] + b"-1")
    monkeypatch.setattr(packets, "_LONGEST_BYTES", 100)
    with client(Served()) as target:
        target._packets._heard += b"$" + bytes(200)
        with pytest.raises(BoardTrouble, match="has no end"):
            target.read(RAM, 4)
    with pytest.raises(BoardTrouble, match="damaged"), client(Served(damaged=9)):
        pass
