"""QEMU: outputs, exact counts, confinement, and everything that can go wrong with a process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import load_board
from mcusim.engines import shares
from mcusim.engines.engine import Execution, Job, records
from mcusim.engines.qemu import engine as qemu
from mcusim.engines.qemu import plugin
from mcusim.engines.qemu.installation import find_qemu
from mcusim.engines.qemu.process import prepare
from mcusim.line.build import Firmware
from mcusim.system.command import run as run_command
from mcusim.system.errors import BuildError, EngineError, MissingToolError
from mcusim.system.toolchain import find_host_compiler
from tests.jobs import HANGS_IN_5, interrupted, two_at_once
from tests.jobs import run as run_engine
from tests.processes import running_in, wait_for
from tests.small_disk import leave_free, small_disk
from tests.tiny_library import build_library, expected, library, samples

pytestmark = pytest.mark.arm
INT8 = np.dtype("int8")

# Loops, calls between pages, a block longer than QEMU translates at once, 32-bit instructions across a page end,
# conditional instructions, library code in softfloat, memcpy: whatever might be counted wrong.
MIXED_WORK = """
#include <string.h>
static volatile double accumulated;
static volatile int sink;

__attribute__((noinline)) static void straight(void)
{
    __asm__ volatile(".rept 700\\n nop\\n .endr\\n .rept 400\\n mov.w r3, #1\\n .endr\\n nop" ::: "r3");
    __asm__ volatile(".rept 300\\n mov.w r3, #2\\n .endr" ::: "r3");
}

__attribute__((noinline)) static int branches(int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++) {
        sum += i & 1 ? n : i % 7 == 3 ? -n : sum >> 1;
        switch (i & 3) {
        case 0: sum ^= 5; break;
        case 1: sum += 9; break;
        case 2: sum -= 3; break;
        default: break;
        }
    }
    return sum;
}

__attribute__((noinline)) static int recurse(int n)
{
    volatile int here = n;
    return n <= 0 ? 0 : recurse(n - 1) + here;
}
"""
MIXED_STATEMENT = """
static number_t copy[16];
static volatile int length = 16;
memcpy(copy, input, (size_t)length);
accumulated = copy[1] * 0.37;
sink = branches(input[0] * 3) + recurse(input[0] & 15) + (int)accumulated;
if (input[0] & 1) {
    straight();
}
"""


def run(firmware: Firmware, board: Board, inputs: npt.NDArray[np.int8], folder: Path, **options: object) -> Execution:
    return run_engine(qemu, firmware, board, inputs, folder, **options)  # type: ignore[arg-type]


def test_outputs_and_counts(board: Board, build_folder: Path, tmp_path: Path) -> None:
    inputs = samples(101)
    done: list[tuple[int, int]] = []
    firmware = build_library(library(), board, build_folder, "qemu")
    execution = run(firmware, board, inputs, tmp_path, jobs=2, progress=lambda *args: done.append(args))
    assert np.array_equal(execution.answers.view(INT8), expected(inputs)) and execution.answers.dtype == np.uint8
    assert execution.complete and np.array_equal(execution.indices, np.arange(101))
    assert execution.instructions is not None and execution.instructions.dtype == np.uint64
    assert len(set(execution.instructions.tolist())) == 1  # the same work for every sample
    assert execution.total_instructions > int(execution.instructions.sum())
    assert execution.stack_bytes is not None and 0 < execution.stack_bytes < 200
    assert (execution.engine, execution.engine_version) == ("qemu", qemu.version())
    assert done[-1] == (101, 101)
    assert list(tmp_path.iterdir()) == []  # nothing is left of a run that went well
    assert execution.notes == ((board.qemu.note,) if board.qemu and board.qemu.note else ())


def test_same_for_any_number_of_jobs(board: Board, build_folder: Path, tmp_path: Path) -> None:
    inputs = samples(7)
    firmware = build_library(library(MIXED_STATEMENT, MIXED_WORK), board, build_folder, "qemu")
    runs = [run(firmware, board, inputs, tmp_path, jobs=jobs) for jobs in (1, 3, 64)]
    assert len(set(runs[0].instructions.tolist())) > 1  # type: ignore[union-attr]
    for other in runs[1:]:
        assert np.array_equal(other.answers, runs[0].answers)
        assert np.array_equal(other.instructions, runs[0].instructions)  # type: ignore[arg-type]


def _counts_with(
    extra: list[str], option: str, firmware: Firmware, board: Board, inputs: npt.NDArray[np.int8], folder: Path
) -> list[int]:
    """Counts of a run with other QEMU options or plugin options than the engine's."""
    job = Job(firmware.image, records(inputs), folder, board)
    this = prepare(job, "count")
    (share,) = shares.lay_out(job.samples, firmware.image.output_bytes, folder, 1)
    command = this.command(share)
    ended = run_command(
        [*command[:-1], command[-1] + option, *extra], folder=share.folder, environment=this.can.environment
    )
    assert ended.returncode == 0, ended.stderr
    return list(np.fromfile(share.folder / "counts.bin", dtype=np.uint64).tolist())


def _one_instruction_per_block() -> list[str]:
    major, minor = (int(part) for part in qemu.version().split(".")[:2])
    return ["-singlestep"] if (major, minor) < (8, 2) else ["-accel", "tcg,one-insn-per-tb=on"]


def test_counts_equal_those_of_every_oracle(board: Board, build_folder: Path, tmp_path: Path) -> None:
    """Against a callback for each instruction, and against blocks of one instruction."""
    inputs = samples(100)
    firmware = build_library(library(MIXED_STATEMENT, MIXED_WORK), board, build_folder, "qemu")
    fast = run(firmware, board, inputs, tmp_path).instructions
    assert fast is not None
    assert fast.tolist() == _counts_with([], ",oracle=on", firmware, board, inputs, tmp_path)
    assert fast.tolist() == _counts_with(_one_instruction_per_block(), "", firmware, board, inputs, tmp_path)


def test_count_of_known_instructions(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    """Against the disassembly: a cnn() of one loop, whose first instruction is the target of its own branch."""
    assembly = """
__asm__(".text\\n.thumb_func\\n.global cnn\\n.type cnn, %function\\ncnn:\\n"
        "ldrb r2, [r0], #1\\n subs r2, #1\\n bpl cnn\\n movs r3, #7\\n strb r3, [r1]\\n bx lr\\n.size cnn, .-cnn\\n");
"""
    sources = library()
    files = {**sources.files, "model.c": '#include "model.h"\n' + assembly}
    firmware = build_library(type(sources)(files), nucleo, build_folder, "qemu")
    inputs = np.ones((3, 16), dtype=np.int8)
    for sample, length in enumerate((0, 5, 12)):
        inputs[sample, length] = 0
    execution = run(firmware, nucleo, inputs, tmp_path)
    assert execution.instructions is not None
    assert execution.instructions.tolist() == [3 * (length + 1) + 3 for length in (0, 5, 12)]
    assert execution.answers.view(INT8)[:, 0].tolist() == [7, 7, 7]


def test_double_precision_works_in_software(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(
        library("volatile double x = input[0]; output[0] = (number_t)(x * x / 3.0);"), nucleo, build_folder, "qemu"
    )
    assert np.array_equal(run(firmware, nucleo, samples(3), tmp_path).answers.view(INT8), expected(samples(3)))


# ---- Time and interruption ------------------------------------------------------------------------------------------


def test_hang_names_sample_and_line(
    board: Board, build_folder: Path, tmp_path: Path, no_time_before: Callable[[int], None]
) -> None:
    firmware = build_library(library(HANGS_IN_5), board, build_folder, "qemu")
    no_time_before(5)
    with pytest.raises(EngineError) as caught:
        run(firmware, board, samples(8), tmp_path, jobs=2, stall_s=0.5)
    assert caught.value.what == "no answer to sample 5 within 0.5 s"
    assert caught.value.where is not None and caught.value.where.startswith("cnn (model.c:")
    assert _processes_in(tmp_path) == []


def test_ctrl_c_keeps_what_is_finished(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(library(HANGS_IN_5), nucleo, build_folder, "qemu")
    execution = interrupted(qemu, firmware, nucleo, tmp_path)  # type: ignore[arg-type]
    assert execution.instructions is not None and len(execution.instructions) == 13
    assert execution.stack_bytes is None
    assert _processes_in(tmp_path) == [] and list(tmp_path.iterdir()) == []


def _processes_in(folder: Path) -> list[int]:
    return running_in(lambda working: Path(working).is_relative_to(folder))


def wait_until_none_is_left(folder: Path) -> None:
    try:
        wait_for(lambda: _processes_in(folder) == [])
    finally:
        for orphan in _processes_in(folder):  # it hangs for ever
            os.kill(orphan, signal.SIGKILL)


@pytest.mark.parametrize("script", [None, '"$REAL" "$@"'], ids=["", "started by a script"])
def test_no_orphan_when_we_are_killed(
    script: str | None, nucleo: Board, build_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once; and in the midst of a run when a script stands between us and QEMU, which is its parent and lives on."""
    if script:
        stand_in(build_folder, script, monkeypatch)
    firmware = build_library(library(HANGS_IN_5), nucleo, build_folder, "qemu")
    program = f"""
from pathlib import Path
import numpy as np
from mcusim.boards.load import load_board
from mcusim.engines.qemu import engine as qemu
from tests.jobs import run
from tests.tiny_library import build_library, library, samples
board = load_board("nucleo_l452re_p")
firmware = build_library(library({HANGS_IN_5!r}), board, Path({str(build_folder)!r}), "qemu")
run(qemu, firmware, board, samples(8), Path({str(tmp_path)!r}), jobs=2)
"""
    assert firmware.elf.exists()
    parent = subprocess.Popen([sys.executable, "-c", program])
    try:
        wait_for(lambda: len(_processes_in(tmp_path)) > 0)
        if script:
            wait_for(lambda: any(path.stat().st_size > 0 for path in tmp_path.glob("run-*/0/output.bin")))
    finally:
        parent.kill()
        parent.wait()
    wait_until_none_is_left(tmp_path)


def test_no_orphan_when_we_end_before_the_plugin_is_loaded(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    """And the pipe that tells it is held a little longer: by the next process, which we were just starting."""
    firmware = build_library(library(HANGS_IN_5), nucleo, build_folder, "qemu")
    job = Job(firmware.image, records(samples(8)), tmp_path, nucleo)
    process = prepare(job, "count")
    (share,) = shares.lay_out(job.samples, firmware.image.output_bytes, tmp_path, 1)
    orphaned = ["sh", "-c", 'exec 3<&0; (sleep 0.2; exec "$@") <&3 & exit', "sh", *process.command(share)]
    reading, writing = os.pipe()
    with (share.folder / "engine.log").open("wb") as log, os.fdopen(writing, "wb"):
        subprocess.run(orphaned, stdin=reading, stdout=log, stderr=log, cwd=share.folder, check=True)
        os.close(reading)
        wait_for(lambda: share.finished == 5)
    wait_until_none_is_left(tmp_path)
    assert "the process that started this is gone" in share.log


def test_two_runs_in_one_tree(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    def one(inputs: npt.NDArray[np.int8]) -> Execution:
        firmware = build_library(library("output[0] = 1;"), nucleo, tmp_path / "build", "qemu")
        return run(firmware, nucleo, inputs, tmp_path / "runs", jobs=2)

    two_at_once(one)
    assert len([path for path in (tmp_path / "build").iterdir()]) == 1


# ---- Paths, tools, disks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["a b", "a,b", "it's", 'say "hi"', "a=b", "größe ✓", "--help", "$HOME;ls", "new\nline"]
)
def test_folders_may_have_any_name(name: str, nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUSIM_CACHE_DIR", str(tmp_path / name / "cache"))
    plugin.build_plugin.cache_clear()
    try:
        firmware = build_library(library(), nucleo, tmp_path / name, "qemu")
        execution = run(firmware, nucleo, samples(3), tmp_path / name)
        assert plugin.build_plugin("count").parent == tmp_path / name / "cache"
    finally:
        plugin.build_plugin.cache_clear()
    assert np.array_equal(execution.answers.view(INT8), expected(samples(3)))


def test_unwritable_cache_folder_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MCUSIM_CACHE_DIR", str(tmp_path / "file" / "cache"))
    plugin.build_plugin.cache_clear()
    try:
        assert plugin.build_plugin("count").is_file()
    finally:
        plugin.build_plugin.cache_clear()


def test_missing_qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUSIM_QEMU", "qemu-system-none")
    reason = qemu.missing()
    assert (
        reason is not None and "qemu-system-none" in reason.what and reason.hint == "correct MCUSIM_QEMU, or unset it"
    )


def test_missing_host_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUSIM_CC", "no-such-cc")
    plugin.build_plugin.cache_clear()
    reason = qemu.missing()
    assert reason is not None and "no-such-cc" in reason.what and reason.hint == "correct MCUSIM_CC, or unset it"


@pytest.mark.parametrize("name", ["count.c", "profile.c"])
@pytest.mark.parametrize("state", [True, False], ids=["here", "where the core's registers are not seen"])
def test_plugins_compile_without_a_warning(name: str, state: bool, tmp_path: Path) -> None:
    text = (plugin._SOURCES / name).read_text()
    written = tmp_path / name
    written.write_text(text if state else text.replace("__x86_64__", "NOWHERE").replace("__aarch64__", "NOWHERE"))
    flags = ("-std=gnu11", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Wshadow", "-Wcast-qual", "-Wconversion")
    built = ("-Werror", f"-I{plugin._SOURCES}", written, "-o", tmp_path / "plugin.so")
    assert run_command([find_host_compiler(), *flags, *built]).stderr == ""


def stand_in(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch, version: str = "7.2.22") -> None:
    """Something else that is called as QEMU."""
    path = folder / "qemu"
    answer = f'[ "$1" = --version ] && echo "QEMU emulator version {version}" && exit'
    body = f"#!/bin/sh\nREAL={find_qemu()}\n{answer}\n{script}\n"
    path.write_text(body)
    path.chmod(0o755)
    monkeypatch.setenv("MCUSIM_QEMU", str(path))


PROBED = 'case "$*" in *probe=on*) echo mcusim-plugin api 1; exit 0;; esac\n'


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        ("echo 'qemu: -plugin: invalid option' >&2; exit 1", MissingToolError, "built without TCG plugins"),
        ("echo 'There is no option group '\"'plugin'\" >&2; exit 1", MissingToolError, "built without TCG plugins"),
        (
            "echo 'requires API version 1, but this QEMU supports only a minimum version of 9' >&2; exit 1",
            EngineError,
            "not known",
        ),
        ("echo 'cannot open shared object' >&2; exit 1", EngineError, "cannot load the plugin"),
        ("exit 0", EngineError, "cannot load the plugin"),
        (PROBED + "exit 0", EngineError, "incomplete"),
        (
            PROBED + "cp input.bin output.bin; echo 0123 00000008 00000000 > result.txt; exit 0",
            EngineError,
            "of another run",
        ),
        (PROBED + "echo 'machine not supported' >&2; exit 1", EngineError, "machine not supported"),
        (PROBED + "kill -SEGV $$", EngineError, "SIGSEGV"),
        (PROBED + "kill -SYS $$", EngineError, "tried to run a program"),
        (PROBED + "exit 11", EngineError, "in the middle of a sample"),
        (PROBED + "exit 20", EngineError, "could not write how"),
    ],
)
def test_whatever_qemu_does_is_an_error(
    script: str,
    error: type[Exception],
    words: str,
    nucleo: Board,
    build_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    firmware = build_library(library(), nucleo, build_folder, "qemu")
    stand_in(tmp_path, script, monkeypatch)
    with pytest.raises(error) as caught:
        run(firmware, nucleo, samples(8), tmp_path)
    assert words in str(caught.value)


@pytest.mark.parametrize("cut", ["plugin.txt", "counts.bin", "output.bin", "result.txt"])
def test_a_run_that_lost_a_file_is_not_believed(
    cut: str, nucleo: Board, build_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firmware = build_library(library(), nucleo, build_folder, "qemu")
    stand_in(
        tmp_path,
        f'"$REAL" "$@" || exit; case "$*" in *probe=on*) ;; *) head -c 9 {cut} > x; mv x {cut};; esac',
        monkeypatch,
    )
    with pytest.raises(EngineError) as caught:
        run(firmware, nucleo, samples(8), tmp_path)
    assert "incomplete" in caught.value.what


def test_api_is_negotiated(nucleo: Board, build_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a QEMU that refuses our first choice asks for is what it gets, in the probe and in the run."""
    if int(qemu.version().split(".")[0]) >= 11:
        pytest.skip("this QEMU negotiates by itself: every other test is this one")
    firmware = build_library(library(), nucleo, build_folder, "qemu")
    refusal = "plugin requires API version 2, but this QEMU supports only a minimum version of 7"
    refuse = f'if [ "$MCUSIM_PLUGIN_API" != 7 ]; then echo "{refusal}" >&2; exit 1; fi'
    script = f'{refuse}\nunset MCUSIM_PLUGIN_API\nexec "$REAL" "$@"'
    stand_in(tmp_path, script, monkeypatch, version="11.1.3")
    assert np.array_equal(run(firmware, nucleo, samples(8), tmp_path).answers.view(INT8), expected(samples(8)))


def test_qemu_without_sandbox_runs_with_a_note(
    nucleo: Board, build_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firmware = build_library(library(), nucleo, build_folder, "qemu")
    script = (
        """case "$*" in *-sandbox*) echo "There is no option group 'sandbox'" >&2; exit 1;; esac\nexec "$REAL" "$@\""""
    )
    stand_in(tmp_path, script, monkeypatch)
    execution = run(firmware, nucleo, samples(8), tmp_path)
    assert any("seccomp" in note for note in execution.notes)


def test_kernel_without_landlock_gets_a_note(
    nucleo: Board, build_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firmware = build_library(library(), nucleo, build_folder, "qemu")
    stand_in(tmp_path, '"$REAL" "$@" || exit; [ ! -e plugin.txt ] || sed -i "s/ 1$/ 0/" plugin.txt', monkeypatch)
    execution = run(firmware, nucleo, samples(8), tmp_path)
    assert any("Landlock" in note for note in execution.notes)


@pytest.mark.parametrize(("version", "words"), [("5.2.0", "too old"), ("", "is not a QEMU")])
def test_wrong_qemu(version: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, "exit 1", monkeypatch, version=version)
    reason = qemu.missing()
    assert reason is not None and words in reason.what


def test_wrong_inputs(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(library(), nucleo, build_folder, "qemu")
    with pytest.raises(EngineError, match="inputs have 15 bytes a sample, the firmware was built for 16"):
        run(firmware, nucleo, samples(3)[:, 1:], tmp_path)
    with pytest.raises(EngineError, match="no samples"):
        run(firmware, nucleo, samples(3)[:0], tmp_path)
    with pytest.raises(EngineError, match="for the host engine"):
        run(build_library(library(), nucleo, build_folder, "host"), nucleo, samples(3), tmp_path)
    with pytest.raises(EngineError, match="names no QEMU machine"):
        run(firmware, nucleo.model_copy(update={"qemu": None}), samples(3), tmp_path)


def test_firmware_for_other_addresses(build_folder: Path, tmp_path: Path) -> None:
    nucleo, edge = load_board("nucleo_l452re_p"), load_board("sparkfun_edge")
    for firmware, board in (
        (build_library(library(), edge, build_folder, "qemu"), nucleo),
        (build_library(library(), nucleo, build_folder, "qemu"), edge),
        (build_library(library(), edge, build_folder, "renode"), edge),
    ):
        with pytest.raises(EngineError, match=r"this firmware was linked for flash at .* QEMU has flash at"):
            run(firmware, board, samples(3), tmp_path)


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        ("nosuch", "machine of [qemu] in the board file is 'nosuch'"),
        ("lm3s6965evb", "has machine 'lm3s6965evb' a Cortex-M4F"),
        ("netduino2", "undefined instruction"),  # a Cortex-M3
    ],
)
def test_wrong_machine(machine: str, words: str, nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    assert nucleo.qemu is not None
    wrong = nucleo.model_copy(update={"qemu": nucleo.qemu.model_copy(update={"machine": machine})})
    with pytest.raises(EngineError) as caught:
        run(build_library(library(), nucleo, build_folder, "qemu"), wrong, samples(3), tmp_path)
    assert words in str(caught.value)


def test_unwritable_folder(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(library(), nucleo, build_folder, "qemu")
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match="cannot write the inputs"):
        run(firmware, nucleo, samples(3), tmp_path / "file" / "run")
    with pytest.raises(BuildError, match="cannot build in"):
        build_library(library(), nucleo, tmp_path / "file" / "build", "qemu")


def test_full_disk(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    """With too little room for inputs, outputs, the last record or the counts: an error, until it is enough."""
    inputs = samples(15_000)  # 59 pages of inputs, 15 of outputs, 30 of counts
    firmware = build_library(library(), nucleo, build_folder, "qemu")
    seen = set()
    with small_disk(tmp_path) as disk:
        for free_pages in (10, 58, 62, 70, 80, 100, 102, 103, 104, 105, 106, 107, 120):
            leave_free(disk, free_pages)
            try:
                execution = run(firmware, nucleo, inputs, disk)
            except EngineError as error:
                seen.add(error.what)
                assert error.hint is not None and "make room" in error.hint
                for kept in disk.glob("run-*"):
                    shutil.rmtree(kept)
            else:
                seen.add("well")
                assert execution.complete and np.array_equal(execution.answers.view(INT8), expected(inputs))
    for words in (
        "cannot write the inputs",
        "cannot write an output",
        "cannot write its last record",
        "the run of",
        "well",
    ):
        assert any(words in what for what in seen), words


# ---- Confinement ----------------------------------------------------------------------------------------------------

SEMIHOSTING = """
#include <string.h>
__attribute__((unused)) static uint32_t call(uint32_t operation, const void *arguments)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}
__attribute__((unused)) static number_t may_open(const char *name, uint32_t mode)
{
    const uint32_t arguments[3] = {(uint32_t)name, mode, strlen(name)};
    return call(1, arguments) != 0xFFFFFFFFu;
}
"""


def test_firmware_reaches_no_file_of_the_user(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    if run_command(
        [sys.executable, "-c", "import ctypes; exit(ctypes.CDLL(None).syscall(444, None, 0, 1) < 1)"]
    ).returncode:
        pytest.skip("this kernel has no Landlock")
    (tmp_path / "secret").write_text("secret")
    names = (("secret", 0), ("new", 4), ("run/../secret", 0))
    attempts = [f'output[{i}] = may_open("{tmp_path}/{name}", {mode});' for i, (name, mode) in enumerate(names)]
    statement = " ".join(attempts) + ' output[3] = may_open("mine", 4); return;'
    firmware = build_library(library(statement, SEMIHOSTING), nucleo, build_folder, "qemu")
    execution = run(firmware, nucleo, samples(1), tmp_path / "run")
    assert execution.answers.view(INT8)[0].tolist() == [0, 0, 0, 1]
    assert not (tmp_path / "new").exists()
    assert execution.notes == ()


def test_firmware_starts_no_program(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    command = f"touch {tmp_path}/started"
    arguments = f'const uint32_t arguments[2] = {{(uint32_t)"{command}", {len(command)}}};'
    statement = f"{arguments} output[0] = call(0x12, arguments) == 0; return;"
    firmware = build_library(library(statement, SEMIHOSTING), nucleo, build_folder, "qemu")
    try:
        assert run(firmware, nucleo, samples(1), tmp_path / "run").answers[0, 0] == 0
    except EngineError as error:  # some versions kill QEMU for it
        assert "tried to run a program" in error.what
    assert not (tmp_path / "started").exists()
