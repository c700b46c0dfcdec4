"""The suites of robot_tests: those for any engine run on QEMU; those for renode-test are read as Robot would."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mcusim.boards.load import board_names
from mcusim.system.assets import RENODE_SCRIPTS

SUITES = Path(__file__).parents[2] / "robot_tests"
FOR_RENODE = sorted(SUITES.glob("*.robot"))

# Keywords of renode-test, as far as our suites use them.
RENODE = """
*** Keywords ***
Execute Command
    [Arguments]    ${command}  ${machine}=${None}
    No Operation
Start Emulation
    No Operation
Reset Emulation
    No Operation
Teardown
    No Operation
Create Terminal Tester
    [Arguments]    ${uart}  ${timeout}=8  ${defaultPauseEmulation}=False
    No Operation
Wait For Line On Uart
    [Arguments]    ${content}  ${timeout}=${None}  ${treatAsRegex}=False
    No Operation
"""


@pytest.mark.arm
@pytest.mark.train
def test_the_suites_for_any_engine_pass_on_qemu(digits: Path, tmp_path: Path) -> None:
    """On the network that was trained for others."""
    out = shutil.copytree(digits, tmp_path / "digits")
    options = ["--outputdir", str(tmp_path), "--variable", f"OUT:{out}"]
    command = [sys.executable, "-m", "robot", *options, str(SUITES / "any_engine")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 tests, 6 passed, 0 failed" in done.stdout


@pytest.mark.parametrize("path", FOR_RENODE, ids=lambda path: path.name)
def test_the_suites_for_renode_are_sound(path: Path, tmp_path: Path) -> None:
    """No unknown keyword, wrong number of arguments or error of syntax."""
    from robot.api import TestSuite

    keywords = tmp_path / "renode.resource"
    keywords.write_text(RENODE)
    suite = TestSuite.from_file_system(path)
    suite.resource.imports.resource(str(keywords))
    ended = suite.run(
        dryrun=True, output=None, stdout=None, variable=["RENODETOOLS:/renode"], outputdir=str(tmp_path), console="none"
    )
    messages = [f"{test.name}: {test.message}" for test in ended.suite.all_tests if not test.passed]
    assert messages == [] and ended.return_code == 0 and not list(ended.errors.messages)
    assert ended.suite.test_count >= 4


def test_every_board_with_a_script_is_in_every_suite() -> None:
    assert [path.stem for path in FOR_RENODE] == ["console", "data_set", "faults"]
    boards = [name for name in board_names() if (RENODE_SCRIPTS / f"{name}.resc").is_file()]
    assert len(boards) >= 2
    for path in FOR_RENODE:
        text = path.read_text(encoding="utf-8")
        [times] = {text.count(name) for name in boards}
        assert times > 0, path


def test_every_suite_of_a_call_finds_the_renode_that_runs_it(tmp_path: Path) -> None:
    """renode-test names its server's folder, DIRECTORY, to the first suite only."""
    shutil.copytree(SUITES, tmp_path / "robot_tests")
    tools = tmp_path / "renode" / "tools"
    tools.mkdir(parents=True)
    (tools.parent / "renode").write_text("")
    stand_in = tmp_path / ".venv" / "bin" / "mcusim"
    stand_in.parent.mkdir(parents=True)
    stand_in.write_text(f'#!/bin/sh\necho "$RENODE_ROOT" > {tmp_path}/seen\necho {tmp_path}\n')
    stand_in.chmod(0o755)
    (tmp_path / "case.json").write_text(json.dumps({"scripts": "renode_scripts"}))
    suite = tmp_path / "robot_tests" / "asks.robot"
    suite.write_text(f"*** Settings ***\nResource  mcusim.resource\n{RENODE}*** Test Cases ***\nA\n    Export  board\n")
    variables = ["--variable=DIRECTORY:None", f"--variable=RENODETOOLS:{tools}"]
    command = [sys.executable, "-m", "robot", "--output=NONE", "--report=NONE", "--log=NONE", *variables, str(suite)]
    environment = {name: value for name, value in os.environ.items() if name != "RENODE_ROOT"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "seen").read_text() == f"{tools.parent}\n"


# -- exported.py -------------------------------------------------------------------------------------------------------


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SUITES))
    import exported

    return exported


CODES = {"int8": "b", "int16": "h", "float32": "f"}


def case(folder: Path, number: str, rows: list[list[float]], labels: list[int]) -> SimpleNamespace:
    """With the expected answers in `folder`."""
    write(folder / "expected.bin", number, rows)
    answer = f"<{len(rows[0])}{CODES[number]}"
    return SimpleNamespace(folder=str(folder), number=number, outputs=len(rows[0]), answer=answer, labels=labels)


def write(path: Path, number: str, rows: list[list[float]]) -> None:
    path.write_bytes(b"".join(struct.pack(f"<{len(row)}{CODES[number]}", *row) for row in rows))


def test_mismatches_are_counted(exported: Any, tmp_path: Path) -> None:
    integers = case(tmp_path, "int16", [[1, 2], [300, -4], [5, 6]], [1, 0, 0])
    write(tmp_path / "out.bin", "int16", [[1, 2], [301, -4], [5, 6]])
    assert exported.mismatches_of(integers, str(tmp_path / "out.bin")) == 1
    assert exported.accuracy_of(integers, str(tmp_path / "out.bin")) == pytest.approx(2 / 3)
    write(tmp_path / "out.bin", "int16", [[1, 2], [300, -4]])
    with pytest.raises(AssertionError, match="2 samples were answered, 3 asked"):
        exported.mismatches_of(integers, str(tmp_path / "out.bin"))


def test_floats_differ_when_another_class_is_decided(exported: Any, tmp_path: Path) -> None:
    floats = case(tmp_path, "float32", [[0.1, 0.2], [0.4, 0.3]], [1, 0])
    write(tmp_path / "out.bin", "float32", [[0.11, 0.2], [0.4, 0.41]])
    assert exported.mismatches_of(floats, str(tmp_path / "out.bin")) == 1


def test_an_export_that_fails_is_told(exported: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mcusim").write_text("#!/bin/sh\necho 'error: no compiler' >&2; exit 4\n")
    (tmp_path / "mcusim").chmod(0o755)
    monkeypatch.setattr(exported, "_mcusim", lambda: str(tmp_path / "mcusim"))
    with pytest.raises(AssertionError, match="mcusim export ended with 4: error: no compiler"):
        exported.export_case("examples/digits", "nucleo_l452re_p", "int8", str(tmp_path / "tools"))
    [folder] = map(Path, exported._folders)
    exported.remove_exports()
    assert not folder.exists()


def test_an_export_is_read_and_told_where_renode_is(
    exported: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "renode").write_text("")
    told = {"format": 2, "console": {"samples": [0, 5]}, "scripts": "renode_scripts"}
    (tmp_path / "case.json").write_text(json.dumps(told))
    (tmp_path / "mcusim").write_text(f'#!/bin/sh\necho "$@" "$RENODE_ROOT" > {tmp_path}/seen\necho {tmp_path}\n')
    (tmp_path / "mcusim").chmod(0o755)
    monkeypatch.setattr(exported, "_mcusim", lambda: str(tmp_path / "mcusim"))
    monkeypatch.delenv("RENODE_ROOT", raising=False)
    found = exported.export_case("examples/digits", "nucleo_l452re_p", "int8", str(tmp_path / "tools"))
    assert found.console.samples == [0, 5] and found.folder == str(tmp_path)
    assert found.scripts == str(tmp_path / "renode_scripts")
    seen = (tmp_path / "seen").read_text().split()
    assert seen[0] == "export" and seen[-1] == str(tmp_path)
    assert seen[2:6] == ["--board", "nucleo_l452re_p", "--data-type", "int8"]
    (tmp_path / "seen").unlink()
    again = exported.export_case("examples/digits", "nucleo_l452re_p", "int8", str(tmp_path / "tools"))
    assert again is found and not (tmp_path / "seen").exists(), "once is enough"
    exported.remove_exports()
