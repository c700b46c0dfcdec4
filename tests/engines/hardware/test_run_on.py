"""Samples on boards: each is answered once, whatever boards do; who holds one, and what is told of those left out."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.load import load_board
from mcusim.engines.engine import Execution, Facts, Job, own_memory
from mcusim.engines.hardware import run_on as running
from mcusim.engines.hardware.attached import Attached
from mcusim.engines.hardware.locks import BusyError, held
from mcusim.engines.hardware.power import power_cycle, reset
from mcusim.engines.hardware.rig import Rig
from mcusim.engines.hardware.run_on import Answered, BoardTrouble, Stop, Stopped, run_on
from mcusim.reports.report import RunError
from mcusim.system.errors import ConfigurationError, EngineError
from mcusim.system.image import Image

FACTS = Facts("toy", "Toy", "a board of this test", "mailbox", own_memory, frozenset({"outputs"}), silicon=True)
TYPE = "nucleo_l452re_p"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    remedies = tuple(remedy._replace(pause_s=0.0) for remedy in running._REMEDIES)
    monkeypatch.setattr(running, "_REMEDIES", remedies)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def attached(name: str, **told: object) -> Attached:
    return Attached(id=name, type=TYPE, **told)  # type: ignore[arg-type]


def job_of(samples: int, folder: Path) -> Job:
    image = Image(folder / "firmware.elf", TYPE, 0, 0, 2, 2, {}, {})
    values = np.arange(samples * 2, dtype=np.uint8).reshape(samples, 2)
    return Job(image, values, folder, load_board(TYPE))


@dataclass
class Toys:
    """Boards that answer each byte plus one. `trouble`: raised before an answer; of (board, how many it gave)."""

    trouble: Callable[[str, int], Exception | None] = lambda board, answers: None
    connects: list[str] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def connect(self, board: Attached, job: Job, stop: Stop) -> Iterator[Toy]:
        with self.lock:
            self.connects.append(board.id)
        yield Toy(self, board.id, stop)


@dataclass
class Toy:
    toys: Toys
    board: str
    stop: Stop
    since_start: int = 0
    clock_hz: float | None = 48e6
    window_cycles: int | None = 9

    def answer(self, sample: bytes, index: int) -> Answered:
        with self.toys.lock:
            given = self.toys.answers[self.board] = self.toys.answers.get(self.board, 0) + 1
        error = self.toys.trouble(self.board, given)
        if error:
            raise error
        self.since_start += 1
        return Answered(bytes((byte + 1) % 256 for byte in sample), 150 if self.since_start == 1 else 100)

    def end(self) -> int | None:
        return 400


def fails(bad: str, error: Exception, times: int, after: int = 0) -> Callable[[str, int], Exception | None]:
    """That board, so often; the others wait for this before they answer, so that it has its turn."""
    over = threading.Event()
    left = [times]

    def trouble(board: str, answers: int) -> Exception | None:
        if board != bad:
            over.wait(5)
            return None
        if answers <= after:
            return None
        left[0] -= 1
        if left[0] == 0:
            over.set()
        return error if left[0] >= 0 else None

    return trouble


def run(toys: Toys, boards: int, samples: int, folder: Path, **told: object) -> tuple[Execution, Job]:
    job = job_of(samples, folder)
    mine = [attached(f"b{number}", **told) for number in range(boards)]
    return run_on(mine, job, toys.connect, FACTS, "1"), job


@pytest.mark.parametrize(("boards", "samples"), [(1, 1), (1, 50), (3, 100), (4, 2)])
def test_answers_in_order_and_the_cold_call_apart(boards: int, samples: int, tmp_path: Path) -> None:
    execution, job = run(Toys(), boards, samples, tmp_path)
    assert (execution.answers == job.samples + 1).all() and execution.indices.tolist() == list(range(samples))
    assert execution.complete and execution.stack_bytes == 400 and not execution.notes
    assert execution.cycle_counter is not None and set(execution.cycle_counter.tolist()) == {100}
    assert execution.silicon and set(execution.silicon.cold_cycles) == {150}
    assert execution.silicon.window_cycles == 9 and execution.silicon.clock_hz
    assert set(execution.silicon.clock_hz) <= {(name, 48e6) for name in execution.silicon.boards}


@pytest.mark.parametrize("kind", [BoardTrouble, BusyError, EngineError])
def test_trouble_with_a_board_is_no_bug(kind: type[EngineError]) -> None:
    """Kinds of errors.py alone have an exit code in a report."""
    told = RunError.of(kind("gone", where="desk"))
    assert told.exit_code == 6 and told.kind == "EngineError"


def test_a_board_that_is_reset_goes_on(tmp_path: Path) -> None:
    toys = Toys(lambda board, answers: BoardTrouble("it is silent") if answers == 7 else None)
    execution, job = run(toys, 1, 30, tmp_path)
    assert (execution.answers == job.samples + 1).all() and toys.connects == ["b0", "b0"]
    assert execution.notes == ("board 'b0' was reset: it is silent",)


def test_then_its_power_then_the_others(tmp_path: Path) -> None:
    toys = Toys(fails("b1", BoardTrouble("it is silent"), 3))
    execution, job = run(toys, 3, 300, tmp_path, power=("true",))
    assert (execution.answers == job.samples + 1).all() and execution.complete
    assert toys.connects.count("b1") == 3
    assert [note.split(" ", 2)[2] for note in execution.notes] == [
        "was reset: it is silent",
        "had its power switched off and on: it is silent",
        "was left out: it is silent",
    ]


def test_one_that_recovers_for_long_may_fail_again(tmp_path: Path) -> None:
    toys = Toys(lambda board, answers: BoardTrouble("unplugged") if answers % 80 == 0 else None)
    execution, job = run(toys, 1, 300, tmp_path)
    assert (execution.answers == job.samples + 1).all() and len(toys.connects) > 3


def test_nobody_is_left(tmp_path: Path) -> None:
    toys = Toys(lambda board, answers: BoardTrouble("it is silent", hint="plug it in"))
    with pytest.raises(BoardTrouble, match="it is silent"):
        run(toys, 2, 40, tmp_path)


def test_what_was_finished_before_the_last_one_was_left_out_is_kept(tmp_path: Path) -> None:
    toys = Toys(lambda board, answers: BoardTrouble("it is silent", hint="plug it in") if answers > 5 else None)
    execution, job = run(toys, 1, 40, tmp_path)
    assert not execution.complete and isinstance(execution.trouble, BoardTrouble) and execution.stack_bytes is None
    assert 0 < len(execution.answers) < 40 and (execution.answers == job.samples[execution.indices] + 1).all()
    silicon = execution.silicon
    assert silicon and silicon.clock_hz == (("b0", 48e6),) and silicon.window_cycles == 9, "known without an end"


@pytest.mark.parametrize("power", [("false",), ("/no/such/program",)])
def test_a_power_command_that_fails_is_told(power: tuple[str, ...], tmp_path: Path) -> None:
    toys = Toys(fails("b0", BoardTrouble("it is silent"), 2))
    execution, _ = run(toys, 2, 40, tmp_path, power=power)
    assert any(note.startswith("board 'b0': the power command of board 'b0'") for note in execution.notes)
    with pytest.raises(EngineError, match="power command") as caught:
        power_cycle(attached("b0", power=power))
    assert caught.value.hint


def test_commands_are_run() -> None:
    assert reset(attached("a", reset=("true",))) and reset(attached("a")) and not power_cycle(attached("a"))


def test_a_fault_ends_the_run_on_all_boards(tmp_path: Path) -> None:
    error = EngineError("the firmware faulted", hint="look")
    execution, job = run(Toys(fails("b0", error, 1, after=2)), 3, 200, tmp_path)
    assert execution.trouble is error and not execution.complete
    assert (execution.answers == job.samples[execution.indices] + 1).all()


def test_a_bug_is_raised(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="a bug of ours"):
        run(Toys(fails("b0", RuntimeError("a bug of ours"), 1, after=2)), 3, 200, tmp_path)


def test_ctrl_c_gives_what_is_finished(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done >= 3 and not interrupted:
            interrupted.append(done)
            raise KeyboardInterrupt

    interrupted: list[int] = []
    arrived = threading.Event()

    def wait(board: str, answers: int) -> Exception | None:
        if answers > 5:
            arrived.wait(0.02)
            return Stopped() if interrupted else None
        return None

    job = replace(job_of(100, tmp_path), progress=interrupt)
    execution = run_on([attached("a")], job, Toys(wait).connect, FACTS, "1")
    done = execution.indices
    assert not execution.complete and 3 <= len(done) < 100 and execution.stack_bytes is None
    assert (execution.answers == job.samples[done] + 1).all()


HOLD = """
import sys
from mcusim.engines.hardware.attached import Attached
from mcusim.engines.hardware.locks import held
with held(Attached(id="b0", type="nucleo_l452re_p")):
    print("mine", flush=True)
    sys.stdin.read()
"""


def test_who_holds_a_board_is_told_and_nobody_does_after_its_process(tmp_path: Path) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLD], **pipes) as holder:  # type: ignore[call-overload]
        assert holder.stdout.readline() == b"mine\n"
        with (
            pytest.raises(
                BusyError, match=rf"'b0' is in use: process {holder.pid} of user .* since .*mcusim"
            ) as caught,
            Rig(2) as rig,
        ):
            rig.boards(replace(job_of(1, tmp_path), hardware=map_of(tmp_path, "b0")), lambda board: None)
        assert "--wait" in (caught.value.hint or "")
        with Rig(2) as rig:  # another is free
            job = replace(job_of(1, tmp_path), hardware=map_of(tmp_path, "b0", "b1"))
            assert [board.id for board in rig.boards(job, lambda board: None)] == ["b1"]
            holder.kill()
        with held(attached("b0"), wait_s=5):
            pass


def test_a_lock_of_another_user_is_no_riddle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after `sudo mcusim run` with the folder of a user."""
    with held(attached("b0")):
        pass
    [path] = (tmp_path / "mcusim").iterdir()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refuse)
        with (
            pytest.raises(EngineError, match="the lock of board 'b0' belongs to user '") as caught,
            held(attached("b0")),
        ):
            pass
    assert f"sudo rm {path}" in (caught.value.hint or "")
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    with pytest.raises(EngineError, match="the folder of locks belongs to user '") as caught, held(attached("b0")):
        pass
    assert "sudo rm -r" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ({"serial": "0ab"}, {"serial": "AB"}),
        ({"usb": "1-1"}, {"usb": "1-1"}),
        ({"port": "/dev/null"}, {"port": "/dev/../dev/null"}),
        ({"server": "localhost:3333"}, {"server": "localhost:3333"}),
    ],
)
def test_another_user_calls_it_by_another_name(
    one: dict[str, str], same: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCUSIM_LOCKS", str(tmp_path))
    with held(attached("mine", **one)):
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "other"))
        with (
            pytest.raises(BusyError, match=r"'yours' is in use: process .* of user '"),
            held(attached("yours", **same)),
        ):
            pass
        with held(attached("mine")):
            pass
    with held(attached("yours", **same)):
        pass


def test_a_lock_of_all_may_be_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever else may write there has laid a trap: no other file is touched, and nobody waits for ever."""
    monkeypatch.setenv("MCUSIM_LOCKS", str(tmp_path / "of all"))
    (tmp_path / "of all").mkdir()
    lock, precious = tmp_path / "of all" / "mcusim-usb-1-1.lock", tmp_path / "precious"
    precious.write_text("kept")
    for make in (
        lambda: lock.symlink_to(precious),
        lambda: lock.hardlink_to(precious),
        lambda: os.mkfifo(lock),
        lock.mkdir,
    ):
        make()
        with pytest.raises(EngineError, match="lock") as caught, held(attached("a", usb="1-1")):
            pass
        assert f"sudo rm {lock}" in (caught.value.hint or "") and precious.read_text() == "kept"
        lock.rmdir() if lock.is_dir() and not lock.is_symlink() else lock.unlink()


def map_of(folder: Path, *names: str) -> Path:
    path = folder / "hardware.toml"
    path.write_text("".join(f'[[board]]\nid = "{name}"\ntype = "{TYPE}"\n' for name in names))
    return path


def test_a_rig_takes_so_many_and_keeps_them(tmp_path: Path) -> None:
    job = replace(job_of(1, tmp_path), hardware=map_of(tmp_path, "a", "b", "c"))
    with Rig(2) as rig:
        assert [board.id for board in rig.boards(job, lambda board: None)] == ["a", "b"]
        assert rig.boards(job, lambda board: None) == rig.boards(job, lambda board: None)
        with Rig(9) as other:
            assert [board.id for board in other.boards(job, lambda board: None)] == ["c"]
    with Rig(9) as rig:
        assert len(rig.boards(job, lambda board: None)) == 3


def test_no_board_that_fits(tmp_path: Path) -> None:
    job = replace(job_of(1, tmp_path), hardware=map_of(tmp_path, "a"))
    with Rig(1) as rig, pytest.raises(ConfigurationError, match="'a' names no server") as caught:
        rig.boards(job, lambda board: "names no server")
    assert caught.value.hint
    edge = replace(job, board=load_board("sparkfun_edge"))
    with Rig(1) as rig, pytest.raises(ConfigurationError, match=r"no board of type 'sparkfun_edge' \(it has 'a'\)"):
        rig.boards(edge, lambda board: None)
