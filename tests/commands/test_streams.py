"""Streams that are full, closed or read by nobody; and names that a CI system would obey."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mcusim.commands import streams
from mcusim.commands.streams import say
from tests.processes import HANG_S
from tests.reports.reports import full_report

ROOT = Path(__file__).parents[2]
PYTHON = [sys.executable, "-m", "mcusim"]
ASLEEP = "while True: time.sleep(0.05)"  # one long sleep would not end by a signal that comes in the instant before it


def shell(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`command` in bash, where `mcusim` is this one; a pipe tells the exit code of its first part that fails."""
    script = f'set -o pipefail; mcusim() {{ "{sys.executable}" -m mcusim "$@"; }}; {command}'
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    surroundings.pop("GITHUB_STEP_SUMMARY", None)
    return subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        cwd=folder,
        env=surroundings,
        timeout=HANG_S,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    full_report().write(tmp_path / "report.json")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("mcusim report . > /dev/full", 2),
        ("mcusim report . > /dev/full 2>&1", 2),
        ("mcusim boards > /dev/full", 2),
        ("mcusim report . 2> /dev/full", 0),
        ("mcusim report nothing 2> /dev/full", 2),
        ("mcusim report nothing 2>&-", 2),
        ("mcusim report . <&- >&- 2>&-", 0),
        ("mcusim report . | true", 141),
        ("mcusim report . --markdown - | true", 141),
        ("mcusim report . --junit x.xml | true; test -s x.xml", 0),
        ("mcusim report . --junit /dev/null", 0),
        ("mcusim report . --junit /dev/full", 2),
        ("mcusim report <(cat report.json)", 0),
        ("mcusim report /dev/stdin < report.json", 0),
        ("cat report.json | mcusim report /dev/stdin", 0),
    ],
)
def test_exit_codes(folder: Path, command: str, code: int) -> None:
    done = shell(command, folder)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr and "--out" not in done.stderr


def test_standard_output_that_is_full_is_told(folder: Path) -> None:
    assert (
        "cannot write to standard output: No space left on device" in shell("mcusim boards >/dev/full", folder).stderr
    )


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1"])
def test_a_format_on_standard_output_is_alone_there(folder: Path, name: str) -> None:
    done = shell(f"echo before > o; mcusim report . --junit {name} >> o; cat o", folder)
    assert done.stdout.startswith("before\n<?xml") and done.stdout.rstrip().endswith("</testsuites>")


def test_a_format_into_another_program(folder: Path) -> None:
    done = shell("mcusim report . --junit >(cat > x) > /dev/null; while ! [ -s x ]; do sleep 0.05; done; cat x", folder)
    assert done.stdout.startswith("<?xml")


def test_a_closed_stream_is_not_taken_by_a_file() -> None:
    code = """
import os, sys
from mcusim.commands import streams
streams.prepare()
file = open("/dev/null")
os.write(3, b"%d" % file.fileno())
"""
    done = subprocess.run(
        ["bash", "-c", f"'{sys.executable}' -c '{code}' 3>&1 <&- >&- 2>&-"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert int(done.stdout) > 3


# -- what a CI system obeys --------------------------------------------------------------------------------------------

COMMANDS = ["::error::x", "  ::add-mask::x", "##[error]x", "a ##[group]x", "##vso[task.setvariable]x", "##teamcity[x]"]


@pytest.mark.parametrize("text", COMMANDS)
def test_no_line_is_a_command(text: str) -> None:
    raw = io.BytesIO()
    stream = streams._Watched(raw, encoding="utf-8", write_through=True)
    stream.is_obeyed = True
    stream.write(f"first\n{text}\n")
    shown = raw.getvalue().decode()
    assert shown.replace(" ", "") == f"first\n{text}\n".replace(" ", "")
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in shown.splitlines())
    assert not any(word in shown for word in ("##[", "##vso[", "##teamcity["))


def test_names_of_a_report_are_no_commands_on_github(folder: Path) -> None:
    values = json.loads((folder / "report.json").read_text())
    for run in values["runs"]:
        run["model"] = "::set-output name=a::b"
    (folder / "report.json").write_text(json.dumps(values))
    done = shell("mcusim report . ; mcusim run nothing --model '::error::y'", folder, GITHUB_ACTIONS="true")
    assert not any(line.lstrip().startswith("::") for line in (done.stdout + done.stderr).splitlines())
    assert ": :set-output" in done.stdout


def test_a_line_keeps_its_indent_and_the_spaces_of_a_path(capsys: pytest.CaptureFixture[str]) -> None:
    say("  a  b/\x1b[31m\n\u202ec")
    assert capsys.readouterr().out == "  a  b/\N{REPLACEMENT CHARACTER}[31m \N{REPLACEMENT CHARACTER}c\n"


# -- Ctrl-C ------------------------------------------------------------------------------------------------------------


def started(
    arguments: list[str], folder: Path, command: list[str] | None = None, **options: Any
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*(command or PYTHON), *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **options,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_imports(folder: Path, number: signal.Signals) -> None:
    """The hook stands for any moment of them: it waits inside of the first import of a command."""
    (folder / "hook").mkdir()
    (folder / "hook" / "click.py").write_text(f"import os, time\nos.write(1, b'go\\n')\n{ASLEEP}\n")
    environment = {**os.environ, "PYTHONPATH": f"{folder / 'hook'}:{ROOT}"}
    process = subprocess.Popen(
        [*PYTHON, "boards"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout and process.stdout.readline() == "go\n"
    process.send_signal(number)
    assert process.communicate(timeout=HANG_S)[1] == "interrupted\n" and process.returncode == 130


def test_two_signals(folder: Path) -> None:
    code = """
import os, time
from mcusim.commands import cli
def told(*_, **__):
    os.write(1, b"told\\n")
    while True: time.sleep(0.05)
def work(*_):
    os.write(1, b"go\\n")
    while True: time.sleep(0.05)
cli.streams.say = told
cli.cli.commands["boards"].callback = work
cli.main(["boards"])
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout
    for line in ("go\n", "told\n"):
        assert process.stdout.readline() == line
        process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=HANG_S)[1] == "" and process.returncode == 130


def test_a_signal_inside_of_an_exec(folder: Path) -> None:
    """Python ends by SIGINT then, although the interruption was caught. Every dataclass is made by an `exec`."""
    (folder / "hook.py").write_text(f"""
import os, sys, time
from mcusim.__main__ import main
from mcusim.commands import cli
cli.cli.commands["boards"].callback = lambda: exec('''os.write(1, b'go\\\\n')\\n{ASLEEP}''')
sys.argv[1:] = ["boards"]
main()
""")
    process = started([], folder, command=[sys.executable, "-m", "hook"])
    assert process.stdout and process.stdout.readline() == "go\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=HANG_S)[1] == "interrupted\n" and process.returncode == 130


def test_a_signal_inside_of_a_callback(folder: Path) -> None:
    """Python drops it there."""
    code = f"""
import os, sys, time
from mcusim.commands import cli
class Callback:
    def __del__(self):
        os.write(1, b"go\\n")
        {ASLEEP}
def work():
    Callback()
    {ASLEEP}
cli.cli.commands["boards"].callback = work
cli.main(["boards"])
"""
    process = started([], folder, command=[sys.executable, "-c", code])
    assert process.stdout and process.stdout.readline() == "go\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=HANG_S)[1] == "interrupted\n" and process.returncode == 130


INTERRUPTED_WHILE_PRINTING = """
import signal, sys
from mcusim.commands import streams
streams.prepare()
signal.signal(signal.SIGALRM, signal.default_int_handler)
for number in range(3000):
    try:
        signal.setitimer(signal.ITIMER_REAL, 1e-6 + number % 100 * 2e-7)
        sys.stdout.write(f"{number} ")
        sys.stdout.flush()
        for _ in range(100):
            pass
    except KeyboardInterrupt:
        pass
"""


def test_what_is_printed_when_a_signal_comes_is_printed_once(folder: Path) -> None:
    process = started([], folder, command=[sys.executable, "-c", INTERRUPTED_WHILE_PRINTING])
    lines = process.communicate(timeout=HANG_S)[0].split()
    assert lines and len(lines) == len(set(lines))


# -- what lies in the working folder -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["numpy", "click", "typing", "signal"])
def test_a_file_in_the_working_folder_is_no_package(folder: Path, name: str) -> None:
    (folder / f"{name}.py").write_text("raise SystemExit('taken for the package')\n")
    done = subprocess.run(
        [*PYTHON, "report", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
