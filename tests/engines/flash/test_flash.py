"""Flashing without boards: the disk of a probe is a folder, boot loaders speak on pseudo terminals."""

from __future__ import annotations

import os
import pty
import struct
import threading
import time
import tty
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mcusim.boards.load import load_board
from mcusim.engines.flash import disk, flash, sbl, svl
from mcusim.engines.hardware.attached import Attached
from mcusim.engines.hardware.run_on import BoardTrouble
from mcusim.system.errors import EngineError

IMAGE = bytes(range(256)) * 20 + b"end"
EDGE = load_board("sparkfun_edge")
LATER = load_board("sparkfun_edge_svl")


def never() -> bool:
    return False


class Peer:
    """What answers at the other end: reads whole, and is given up after a while."""

    def __init__(self, fd: int) -> None:
        self.fd, self.stored = fd, bytearray()

    def read(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            found += os.read(self.fd, count - len(found))
        return found

    def write(self, data: bytes) -> None:
        os.write(self.fd, data)


@contextmanager
def loader(serve: Callable[[Peer], None]) -> Iterator[tuple[str, Peer]]:
    board, end = pty.openpty()
    tty.setraw(end)
    peer = Peer(board)
    thread = threading.Thread(target=serve, args=(peer,), daemon=True)
    thread.start()
    yield os.ttyname(end), peer
    thread.join(5)
    assert not thread.is_alive()
    os.close(board)
    os.close(end)


# ---- Ambiq's secure boot loader --------------------------------------------------------------------------------------


def serve_sbl(peer: Peer, refuse: int = -1) -> None:
    """`refuse`: a type of message that it has an error for."""
    while True:
        crc, word = struct.unpack("<2I", peer.read(8))
        payload = peer.read((word >> 16) - 8)
        assert zlib.crc32(struct.pack("<I", word) + payload) == crc
        kind = word & 0xFFFF
        if kind == sbl.HELLO:
            peer.write(sbl.message(sbl.STATUS, bytes(80)))
            continue
        if kind == sbl.DATA:
            assert struct.unpack_from("<I", payload)[0] == len(peer.stored)
            peer.stored += payload[4:]
        peer.write(sbl.message(sbl.ACK, struct.pack("<3I", kind, int(kind == refuse), 0)))
        if kind in (sbl.RESET, refuse):
            return


def test_the_boot_loader_gets_the_update() -> None:
    with loader(serve_sbl) as (path, peer):
        sbl.flash(IMAGE * 4, EDGE, path, never)
    ota = peer.stored[96:]
    assert struct.unpack_from("<3I", peer.stored, 84) == (0x12344321, 0x20000, len(ota))
    assert ota[128 : 128 + len(IMAGE) * 4] == IMAGE * 4 and struct.unpack_from("<I", ota, 112)[0] == 0xC000


def test_a_refused_update() -> None:
    with loader(lambda peer: serve_sbl(peer, sbl.UPDATE)) as (path, _), pytest.raises(BoardTrouble, match="state 1"):
        sbl.flash(IMAGE, EDGE, path, never)


def test_files_of_an_update() -> None:
    """As the boot loader reads them."""
    ota = sbl.ota_image(IMAGE, 0xC000)
    assert len(ota) == 128 + 5124 and ota[-1] == 1 and ota[:4] == struct.pack("<I", 0xCB << 24 | len(ota))
    assert struct.unpack_from("<I", ota, 4)[0] == zlib.crc32(ota[8:])
    update = sbl.wired_update(ota, 0x20000)
    assert update[96:] == ota and update[80:82] == b"\6\1" and len(update) == 96 + len(ota)


def test_where_an_update_waits() -> None:
    assert sbl.temporary_address(0xC000, bytes(80 * 1024)) == 0x20000
    assert sbl.temporary_address(0xC000, bytes(80 * 1024 + 4)) == 0x22000
    with pytest.raises(EngineError, match="keeps each twice"):
        sbl.temporary_address(0xC000, bytes(500 * 1024))


def test_nobody_presses_the_button(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbl, "_WAIT_S", 0.1)
    with loader(lambda peer: None) as (path, _), pytest.raises(BoardTrouble, match="no answer") as caught:
        sbl.flash(IMAGE, EDGE, path, never)
    assert "button 14" in (caught.value.hint or "")


# ---- SparkFun's variable loader --------------------------------------------------------------------------------------


def serve_svl(peer: Peer) -> None:
    """Asks for the second frame twice."""
    assert peer.read(1) == b"U"
    peer.write(svl.packet(svl.VERSION, b"\5"))
    asked = [svl.NEXT, svl.NEXT, svl.RETRY, *[svl.NEXT] * 9]
    while True:
        body = peer.read(int.from_bytes(peer.read(2), "big"))
        assert svl.crc16(body[:-2]) == int.from_bytes(body[-2:], "big")
        if body[0] == svl.DONE:
            return
        if body[0] == svl.FRAME and asked[0] != svl.RETRY:
            peer.stored += body[1:-2]
        peer.write(svl.packet(asked.pop(0)))


def test_the_variable_loader_gets_the_image() -> None:
    with loader(serve_svl) as (path, peer):
        svl.flash(IMAGE, LATER, path, never)
    assert peer.stored == IMAGE


def test_firmware_for_another_address_is_refused() -> None:
    with pytest.raises(EngineError, match="0x0000C000, this loader at 0x00010000"):
        svl.flash(IMAGE, EDGE, "/dev/null", never)


class Said:
    """A wire on which all was said before."""

    path = "here"

    def __init__(self, *messages: bytes) -> None:
        self.left, self.written = bytearray(b"".join(messages)), list[bytes]()

    def read(self, count: int, limit_s: float) -> bytes:
        if len(self.left) < count:
            raise BoardTrouble("nothing comes", where=self.path, hint="")
        found, self.left = bytes(self.left[:count]), self.left[count:]
        return found

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def drain(self) -> None:
        self.left.clear()


def damaged(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    ("receive", "data"),
    [
        (svl.receive, damaged(svl.packet(svl.NEXT))),
        (svl.receive, b"\0\0"),
        (svl.receive, b"\xff\xff"),
        (sbl.receive, damaged(sbl.message(sbl.STATUS, bytes(8)))),
        (sbl.receive, bytes(8)),
    ],
)
def test_damaged_messages_are_never_believed(receive: Callable[..., object], data: bytes) -> None:
    with pytest.raises(BoardTrouble, match="what the boot loader says is damaged"):
        receive(Said(data), 1)


def test_the_variable_loader_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A packet of another kind, or a damaged one, is no version; a part that came damaged is sent once more."""
    first, second = bytes(svl.FRAME_BYTES), b"end"
    wire = Said(*(svl.packet(command) for command in (svl.NEXT, svl.RETRY, svl.NEXT, svl.NEXT)))
    svl._send(first + second, wire)  # type: ignore[arg-type]
    assert wire.written == [svl.packet(svl.FRAME, part) for part in (first, first, second)] + [svl.packet(svl.DONE)]
    for answers in ([svl.RETRY], [svl.NEXT, *[svl.RETRY] * 11], [svl.NEXT, svl.DONE]):
        with pytest.raises(BoardTrouble, match=f"refuses the firmware: answer {answers[-1]}"):
            svl._send(first, Said(*map(svl.packet, answers)))  # type: ignore[arg-type]
    svl._enter(Said(svl.packet(svl.NEXT), svl.packet(svl.VERSION)))  # type: ignore[arg-type]
    monkeypatch.setattr(svl, "_START_S", 0.02)
    with pytest.raises(BoardTrouble, match="gives no answer within"):
        svl._enter(Said(damaged(svl.packet(svl.VERSION))))  # type: ignore[arg-type]


def test_crc16() -> None:
    assert svl.crc16(b"123456789") == 0xFEE8  # CRC-16/UMTS, as catalogues give it


# ---- The disk of an ST-Link ------------------------------------------------------------------------------------------


def probe(folder: Path, failure: str | None) -> threading.Thread:
    """Takes the file as the probe does: the disk is gone for a moment, and may tell a failure then."""

    def take() -> None:
        end = time.monotonic() + 5
        file = folder / "mcusim.bin"
        while not (file.exists() and file.stat().st_size == len(IMAGE)) and time.monotonic() < end:
            time.sleep(0.01)
        file.unlink()
        if failure:
            (folder / "FAIL.TXT").write_text(failure)

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Attached:
    monkeypatch.setattr(disk, "_SETTLED_S", 0.1)
    return Attached(id="desk", type="nucleo_l452re_p", port="/dev/null", mount=tmp_path)


def test_the_disk_takes_it(desk: Attached, tmp_path: Path) -> None:
    thread = probe(tmp_path, None)
    flash(desk, IMAGE, EDGE, "", tmp_path, never, "why")
    thread.join()
    assert not list(tmp_path.iterdir())


def test_fail_txt_is_read(desk: Attached, tmp_path: Path) -> None:
    probe(tmp_path, "The interface firmware FAILED to reset/halt the target MCU\r\n\x1b[2J")
    with pytest.raises(BoardTrouble, match="FAILED to reset/halt the target MCU") as caught:
        disk.flash(desk, IMAGE, never)
    assert "\x1b" not in str(caught.value)


def test_no_disk(desk: Attached, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="is not mounted"):
        disk.flash(desk.model_copy(update={"mount": tmp_path / "none"}), IMAGE, never)
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda {tmp_path}/NODE_A vfat rw 0 0\n/dev/sdb {tmp_path}/NOD_B\\040C vfat rw 0 0\n")
    monkeypatch.setattr(disk, "_MOUNTS", mounts)
    with pytest.raises(EngineError, match=r"there are 2: .*NODE_A, .*NOD_B C|there are 2: .*NOD_B C, .*NODE_A"):
        disk.flash(desk.model_copy(update={"mount": None}), IMAGE, never)
