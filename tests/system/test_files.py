"""Pipes, devices, links and folders where a file is meant: never replaced, never read without end."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from mcusim.system import files
from mcusim.system.errors import ConfigurationError, DataError
from mcusim.system.files import append_text, demand_regular, read_file, read_text, starts_with, write_text

LIMIT = 1000


def read(path: Path) -> bytes:
    return read_file(path, LIMIT, hint="give a file")


def reason(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(path)
    assert caught.value.hint == "give a file" and caught.value.where == str(path)
    return caught.value.what


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "x.txt"
    path.write_bytes(b"text")
    return path


# -- reading -----------------------------------------------------------------------------------------------------------


def test_a_file_and_a_link_to_it(written: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("x.txt")
    assert read(written) == read(tmp_path / "link") == b"text"
    assert read_text(written, LIMIT, hint="") == "text"


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom"])
def test_a_device_without_end(device: str) -> None:
    assert "it is too large, more than 1,000 bytes" in reason(Path(device))


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(2**40)
    assert "too large" in reason(tmp_path / "big")


def test_a_pipe_that_nobody_writes_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SILENCE_S", 0.05)
    os.mkfifo(tmp_path / "pipe")
    assert "nobody writes to it" in reason(tmp_path / "pipe")


def test_a_pipe_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "WAIT_S", 0.2)
    monkeypatch.setattr(files, "SILENCE_S", 0.05)
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with (tmp_path / "pipe").open("wb", buffering=0) as writer:
        writer.write(b"some")
        assert "its end did not come" in reason(tmp_path / "pipe")
        assert "its end did not come" in reason(Path(f"/dev/fd/{reader}"))
    os.close(reader)


def test_a_pipe_that_comes_in_pieces(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        with pipe.open("wb", buffering=0) as file:
            for piece in (b"a", b"b"):
                file.write(piece)

    writer = threading.Thread(target=write)
    writer.start()
    assert read(pipe) == b"ab"
    writer.join()


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "cycle").symlink_to("cycle")
    (tmp_path / "dangling").symlink_to("nothing")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(tmp_path / "socket"))
        assert "No such device" in reason(tmp_path / "socket")
    assert "Is a directory" in reason(tmp_path)
    assert "symbolic links" in reason(tmp_path / "cycle")
    assert "No such file" in reason(tmp_path / "dangling")
    assert "null byte" in reason(Path("a\0b"))
    assert "File name too long" in reason(tmp_path / ("a" * 5000))


def test_an_absent_file_has_a_hint_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_file(tmp_path / "no", LIMIT, hint="give a file", hint_absent="check the path")
    assert caught.value.hint == "check the path"


def test_an_open_stream_by_its_name() -> None:
    out, into = os.pipe()
    os.write(into, b"streamed")
    os.close(into)
    assert read(Path(f"/dev/fd/{out}")) == b"streamed"
    os.close(out)


def test_no_text(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="not a text in UTF-8"):
        read_text(tmp_path / "x", LIMIT, hint="give a text")


def test_what_has_to_be_a_regular_file(written: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    demand_regular(written, hint="")
    for path, what in ((tmp_path, "a folder"), (tmp_path / "pipe", "a pipe"), (Path("/dev/null"), "a device")):
        with pytest.raises(DataError, match=f"is {what}, not a file"):
            demand_regular(path, hint="", kind=DataError)
    assert starts_with(written, b"te") and not starts_with(written, b"x") and not starts_with(tmp_path / "pipe", b"")


# -- writing -----------------------------------------------------------------------------------------------------------


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    write_text(tmp_path / "deep" / "x", "one")
    write_text(tmp_path / "deep" / "x", "two \ud800")
    assert (tmp_path / "deep" / "x").read_text() == "two ?" and len([*(tmp_path / "deep").iterdir()]) == 1
    assert (tmp_path / "deep" / "x").stat().st_mode & 0o777 == 0o666 & ~files._umask()


def test_links_are_written_through(written: Path, tmp_path: Path) -> None:
    for name, goal in (("link", "x.txt"), ("dangling", "new.txt")):
        (tmp_path / name).symlink_to(goal)
        write_text(tmp_path / name, "through")
        assert (tmp_path / name).is_symlink() and (tmp_path / goal).read_text() == "through"
    (tmp_path / "cycle").symlink_to("cycle")
    with pytest.raises(OSError, match="symbolic links"):
        write_text(tmp_path / "cycle", "")


def test_devices_stay(tmp_path: Path) -> None:
    write_text(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(OSError, match="No space left"):
        write_text(Path("/dev/full"), "text")
    with pytest.raises(IsADirectoryError):
        write_text(tmp_path, "text")


def test_pipes_stay(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for write in (write_text, append_text):
        with pytest.raises(OSError, match="No such device"):  # nobody reads: it does not wait for one
            write(pipe, "lost")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text(pipe, "one ")
    append_text(pipe, "two")
    assert os.read(reader, 100) == b"one two" and pipe.is_fifo()
    os.close(reader)


def test_an_open_stream_is_not_started_over(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as file:
        file.write("before ")
        file.flush()
        write_text(Path(f"/proc/self/fd/{file.fileno()}"), "after")
    assert (tmp_path / "out").read_text() == "before after"


def test_appending(written: Path) -> None:
    append_text(written, " more")
    assert written.read_text() == "text more"


def test_what_cannot_be_written_is_told_by_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", ".x.part")

    monkeypatch.setattr("tempfile.mkstemp", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_text(tmp_path / "x", "text")
    assert caught.value.filename == str(tmp_path / "x")
