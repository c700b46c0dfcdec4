"""Downloads from a server of our own on 127.0.0.1: whole, continued, broken off, damaged, refused."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from mcusim.system import download as module
from mcusim.system.cache import cache_folder
from mcusim.system.download import download
from mcusim.system.errors import DataError, MissingToolError
from tests.server import CONTENT, Server
from tests.server import server as server  # noqa: PLC0414  (a fixture)
from tests.small_disk import leave_free, small_disk

SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MCUSIM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.0)
    return cache_folder()


def fetch(server: Server, sha256: str = SHA256) -> bytes:
    return download(server.url, sha256, "data.zip", len(CONTENT), "put it by hand").read_bytes()


def test_a_file_is_fetched_once(server: Server, cache: Path) -> None:
    assert fetch(server) == CONTENT
    assert fetch(server) == CONTENT
    assert server.ranges == [None]
    assert not (cache / "data.zip.part").exists()


def test_the_bytes_are_told(server: Server) -> None:
    told: list[tuple[int, int]] = []
    server.cut = [100_000]
    download(server.url, SHA256, "data.zip", None, "", progress=lambda *at: told.append(at))
    assert {total for _, total in told} == {len(CONTENT)}, "also of one that is continued"
    done = [done for done, _ in told]
    assert done[0] == 0 and done[-1] == len(CONTENT) and done == sorted(done)
    assert len(done) > len(set(done)), "it starts again from what was there"


def test_a_total_that_the_server_does_not_tell(server: Server, cache: Path) -> None:
    server.tells_length = False
    for size, total in ((None, 0), (len(CONTENT), len(CONTENT))):
        told: list[tuple[int, int]] = []
        download(server.url, SHA256, f"{total}.zip", size, "", progress=lambda *at, told=told: told.append(at))
        assert told[-1] == (len(CONTENT), total)


def test_a_broken_connection_goes_on_where_it_stopped(server: Server) -> None:
    server.cut = [100_000, 50_000]
    assert fetch(server) == CONTENT
    kept = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in server.ranges[1:] if asked]
    assert 100_000 - module.PIECE_BYTES < kept[0] <= 100_000
    assert kept[0] + 50_000 - module.PIECE_BYTES < kept[1] <= kept[0] + 50_000


def test_a_later_run_goes_on_where_the_last_one_stopped(server: Server, cache: Path) -> None:
    cache.mkdir()
    (cache / "data.zip.part").write_bytes(CONTENT[:123_456])
    assert fetch(server) == CONTENT
    assert server.ranges == ["bytes=123456-"]


def test_a_server_that_cannot_continue_sends_all_again(server: Server) -> None:
    server.cut, server.continues = [100_000], False
    assert fetch(server) == CONTENT


def test_a_server_that_tells_no_length(server: Server) -> None:
    server.tells_length = False
    assert fetch(server) == CONTENT


@pytest.mark.parametrize("part", [b"x" * 1000, CONTENT, CONTENT + b"more"], ids=["wrong", "whole", "longer"])
def test_a_partial_file_that_does_not_fit_is_given_up(server: Server, cache: Path, part: bytes) -> None:
    cache.mkdir()
    (cache / "data.zip.part").write_bytes(part)
    assert fetch(server) == CONTENT


def test_a_damaged_download_is_refused_and_not_kept(server: Server, cache: Path) -> None:
    server.content = CONTENT[:-1] + b"!"
    with pytest.raises(DataError, match="another checksum than the published file") as caught:
        fetch(server)
    assert caught.value.hint == "put it by hand" and caught.value.where == server.url
    assert not list(cache.glob("data.zip*"))
    server.content = CONTENT
    assert fetch(server) == CONTENT


def test_a_damaged_file_in_the_cache_is_fetched_again(server: Server, cache: Path) -> None:
    cache.mkdir()
    (cache / "data.zip").write_bytes(CONTENT[:1000])
    assert fetch(server) == CONTENT


def test_a_server_that_refuses(server: Server) -> None:
    server.status = 404
    with pytest.raises(DataError, match=r"cannot download 'data\.zip': 404"):
        fetch(server)
    assert len(server.ranges) == 1, "asking again would not help"


def test_a_server_that_always_breaks_off_keeps_what_came(server: Server, cache: Path) -> None:
    server.cut = [20_000] * 100
    with pytest.raises(DataError, match="broke off"):
        fetch(server)
    assert len(server.ranges) == module.ATTEMPTS
    kept = (cache / "data.zip.part").read_bytes()
    assert len(kept) >= module.ATTEMPTS * module.PIECE_BYTES and CONTENT.startswith(kept)


def test_no_network() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/data.zip"  # bound, nobody listens
        with pytest.raises(DataError, match=r"cannot download 'data\.zip': no connection") as caught:
            download(url, SHA256, "data.zip", None, "put it by hand")
    assert caught.value.hint == "put it by hand"


@pytest.mark.parametrize("url", ["nonsense", "file:///etc/passwd", "http://", "http://[::1"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(DataError, match=r"cannot download 'data\.zip': (?!.*checksum)"):
        download(url, SHA256, "data.zip", None, "")


def test_a_cache_folder_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MCUSIM_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match="Not a directory"):
        fetch(server)


def test_the_kind_of_error_is_the_callers(server: Server) -> None:
    server.status = 404
    with pytest.raises(MissingToolError, match=r"cannot download 'tool': 404"):
        download(server.url, SHA256, "tool", None, "", MissingToolError)


def test_a_full_disk(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_disk(tmp_path) as disk:
        monkeypatch.setenv("MCUSIM_CACHE_DIR", str(disk))
        leave_free(disk, 20)
        with pytest.raises(DataError, match="No space left on device") as caught:
            fetch(server)
        assert caught.value.hint == f"make room in {disk}, or name another folder in MCUSIM_CACHE_DIR"
        (disk / "ballast").unlink()
        assert fetch(server) == CONTENT
        assert server.ranges[-1] is not None, "it goes on where the disk was full"


@pytest.mark.parametrize("name", ["file.bin", "file.bin.part", ".file.bin.lock"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_in_the_cache_is_not_waited_for(
    server: Server, cache: Path, name: str, make: Callable[[Path], None]
) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    make(cache / name)
    with pytest.raises(DataError, match="is no file: remove it"):
        download(server.url, SHA256, "file.bin", None, hint="")
