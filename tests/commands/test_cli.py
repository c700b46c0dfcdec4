"""The command line as users meet it: exit codes, errors in three lines, never a traceback, never slow for nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from mcusim.commands import cli, options
from mcusim.datasets import Dataset
from mcusim.engines import ENGINES
from mcusim.models.source import Source
from mcusim.reports.report import Report
from mcusim.system.errors import EngineError, MissingToolError, ModelError
from mcusim.system.tool import Tool
from tests.lines import FakeEngine, FakeStages, graph
from tests.lines import engine as engine  # noqa: PLC0414  (a fixture)
from tests.lines import stages as stages  # noqa: PLC0414
from tests.processes import HANG_S
from tests.reports.reports import full_report

ROOT = Path(__file__).parents[2]
EXPERIMENT = """\
[dataset]
name = "digits"
normalize = "none"
[[model]]
name = "a"
file = "a.keras"
[[quantization]]
data_type = "float32"
[[quantization]]
data_type = "int8"
[target]
engine = "host"
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An experiment file, in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.delenv("MCUSIM_DEBUG", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    (tmp_path / "a.keras").write_bytes(b"")
    (tmp_path / "test.toml").write_text(EXPERIMENT)
    return tmp_path / "test.toml"


def mcusim(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    options["env"] = {**os.environ, "PYTHONPATH": str(ROOT), **options.get("env", {})}
    command = [sys.executable, "-m", "mcusim", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=False, **options)


def python(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=HANG_S, check=False)


# -- quick, and light --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"]])
def test_help_loads_no_package_but_click(arguments: list[str]) -> None:
    """What takes time is importing: counted, because a clock says more of the machine."""
    code = f"""
import sys
before = set(sys.modules)
from mcusim.commands import cli
assert cli.execute({arguments!r}) == 0
print("loaded:", *sorted({{name.partition(".")[0] for name in set(sys.modules) - before}} - sys.stdlib_module_names))
"""
    assert python(code).stdout.splitlines()[-1] == "loaded: click mcusim"


HEAVY = ("tensorflow", "keras", "sklearn", "scipy", "h5py", "pooch")


@pytest.mark.parametrize("command", ["--help", "boards", "engines", "datasets", "layers"])
def test_looking_around_imports_nothing_heavy(command: str) -> None:
    code = f"""
import sys
from mcusim.commands import cli
assert cli.execute([{command!r}]) == 0
print("loaded:", *(name for name in {HEAVY!r} if name in sys.modules))
"""
    done = python(code)
    assert done.stdout.splitlines()[-1] == "loaded:", done.stderr


# -- help --------------------------------------------------------------------------------------------------------------


def test_no_arguments_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute([]) == 0
    assert "Usage: mcusim" in capsys.readouterr().out


@pytest.mark.parametrize("command", [*cli.cli.commands])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute([command, "--help"]) == 0
    assert f"Usage: mcusim {command}" in capsys.readouterr().out


def test_an_explanation_follows_no_link_out_of_its_folder(
    engine: FakeEngine, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (path.parent / "out").mkdir()
    (path.parent / "out" / "explain.json").symlink_to("../mine")
    choice = ["--explain", "--data-type", "int8", "--out", "out"]
    assert cli.execute(["evaluate", "test.toml", *choice]) == 2
    assert "'explain.json' leads out" in capsys.readouterr().err and not (path.parent / "mine").exists()


def test_summaries_of_commands_are_whole_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    cli.execute(["--help"])
    listed = capsys.readouterr().out.partition("Commands:")[2].split("\n")
    assert len([line for line in listed if line.strip()]) == len(cli.cli.commands) and not any(
        "..." in line for line in listed
    )


@pytest.mark.parametrize("command", ["boards", "engines", "datasets", "layers"])
def test_inventories(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute([command]) == 0
    known = {"boards": "nucleo_l452re_p", "engines": "qemu", "datasets": "uci_har", "layers": "DepthwiseConv2D"}
    assert known[command] in capsys.readouterr().out


def test_engines_that_need_no_installation(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    engine = FakeEngine()
    monkeypatch.setitem(ENGINES, "host", engine)
    assert cli.execute(["engines", "install", "host"]) == 0
    assert "engine host needs no installation by mcusim: it runs here" in capsys.readouterr().out
    engine.absent = MissingToolError("'cc' is not installed", where="PATH", hint="sudo apt-get install gcc")
    assert cli.execute(["engines", "install", "host"]) == 4
    assert "hint: sudo apt-get install gcc" in capsys.readouterr().err


# -- wrong usage -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "where", "hint"),
    [
        (["rnu"], "no such command 'rnu'", "mcusim", "did you mean 'run'?"),
        (["--bords"], "no such option '--bords'", "mcusim", ""),
        (["run", "test.toml", "--bord", "x"], "no such option '--bord'", "mcusim run", "did you mean '--board'?"),
        (["run", "test.toml", "--data", "x.npz"], "option '--data'", "mcusim run", "[dataset] file = 'data.npz'"),
        (["run", "test.toml", "x.npz"], "(x.npz)", "mcusim run", "[dataset] file = 'data.npz'"),
        (["generate", "a.keras", "--data", "x.npz"], "'--data'", "mcusim generate", "did you mean '--calibration'?"),
        (["profile", "out", "--flamegraph", "x"], "'--flamegraph'", "mcusim profile", "--stacks F"),
        (["run"], "missing argument 'EXPERIMENT.toml'", "mcusim run", "mcusim run --help"),
        (["run", "test.toml", "--jobs", "x"], "invalid value for '--jobs'", "mcusim run", "--help"),
        (["run", "test.toml", "--samples", "0"], "'0' is neither 'all' nor a number", "mcusim run", "--help"),
        (["run", "test.toml", "--engine", "qmeu"], "unknown engine 'qmeu'", "engine", "did you mean 'qemu'?"),
        (["run", "test.toml", "--model", "b"], "no model 'b'", "test.toml", "known: a"),
        (["run", "test.toml", "--data-type", "int99"], "unknown data type 'int99'", "", "int9"),
        (
            ["run", "test.toml", "--engine", "qemu", "--board", "nucleo"],
            "unknown board 'nucleo'",
            "",
            "nucleo_l452re_p",
        ),
        (["run", "test.toml", "--board", "nucleo"], "unknown board 'nucleo'", "--board", "nucleo_l452re_p"),
        (
            ["run", "test.toml", "--engine", "qemu", "--board", "sparkfun_edge,nucleo"],
            "unknown board 'nucleo'",
            "",
            "nucleo_l452re_p",
        ),
        (["run", "none.toml"], "cannot read 'none.toml'", "none.toml", "check the path"),
        (["run", "a.keras"], "'a.keras' is a model, not an experiment", "", "mcusim generate a.keras"),
        (["report", "none.json"], "cannot read 'none.json'", "none.json", "mcusim run"),
        (["hardware"], "a command is missing", "mcusim hardware", "one of: add, check, list, scan"),
        (["engines", "instal"], "no such command 'instal'", "mcusim engines", "did you mean 'install'?"),
        (["engines", "install"], "missing argument 'ENGINE'", "mcusim engines install", "--help"),
        (["engines", "install", "renod"], "unknown engine 'renod'", "mcusim engines install", "did you mean 'renode'?"),
        (["generate", "a.keras"], "a folder is needed", "mcusim generate", "--out"),
        (["generate", "a.keras", "--out", "x"], "one data type is needed", "mcusim generate", "--data-type"),
        (["generate", "test.toml", "--rounding", "floor"], "--rounding is for a model file", "", "[[quantization]]"),
        (["generate", "a.keras", "--out", "x", "--model", "a"], "--model chooses from an experiment", "", "leave it"),
    ],
)
def test_wrong_usage_is_told_in_three_lines(
    path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], error: str, where: str, hint: str
) -> None:
    assert cli.execute(arguments) == 2
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == "" and len(lines) <= 3
    assert lines[0].startswith("error: ") and error in lines[0]
    assert where in err and hint in err


# -- run ---------------------------------------------------------------------------------------------------------------


def test_all_errors_of_a_file_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "two.toml"
    path.write_text('[dataset]\npath = "x.npz"\n[[model]]\nname = "m"\nfile = "m.keras"\n')
    assert cli.execute(["run", str(path)]) == 2
    told = capsys.readouterr().err
    assert [line[:6] for line in told.splitlines()] == ["error:", "  in: ", "  hint"] * 2
    assert f"{path}:2, dataset.path" in told and "'m.keras'" in told


def test_run_prints_a_table_and_where_the_report_lies(
    engine: FakeEngine, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.execute(["run", "test.toml", "--out", "out"]) == 0
    out, err = capsys.readouterr()
    assert "a      float32  host" in out and out.splitlines()[-1] == "report: out/report.json"
    assert [line[:5] for line in err.splitlines()] == ["[1/2]", "[2/2]"], "one line for each run, no bars in a log"
    assert Report.read(Path("out/report.json")).complete


def test_options_of_run(engine: FakeEngine, path: Path) -> None:
    assert (
        cli.execute(
            ["run", "test.toml", "--data-type", "int8", "--samples", "5", "--junit", "j.xml", "--markdown", "m.md"]
        )
        == 0
    )
    [only] = Report.read(Path("build/test/report.json")).runs
    assert only.samples == 5 and only.data_type == "int8"
    assert "<testsuites" in Path("j.xml").read_text() and Path("m.md").read_text().startswith("### mcusim: test")


def test_several_of_an_option_in_one_word(engine: FakeEngine, path: Path) -> None:
    assert cli.execute(["run", "test.toml", "--data-type", "int8,int16", "--data-type", "int9"]) == 0
    runs = Report.read(Path("build/test/report.json")).runs
    assert [run.data_type for run in runs] == ["int8", "int16", "int9"]


def test_a_board_file_may_have_a_comma_in_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a,b.toml").write_text("")
    command = options.board_option(click.Command("x", callback=lambda boards: boards))
    told = command.main(["--board", "a,b.toml", "--board", "c,d.toml"], standalone_mode=False)
    assert told == ("a,b.toml", "c", "d.toml")


def test_a_folder_stands_for_its_experiment(engine: FakeEngine, path: Path) -> None:
    path.rename(path.with_name("experiment.toml"))
    assert cli.execute(["run", ".", "--out", "out"]) == 0


def test_github_gets_a_summary(engine: FakeEngine, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("summary.md").write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path.parent / "summary.md"))
    assert cli.execute(["run", "test.toml"]) == 0
    assert Path("summary.md").read_text().startswith("before\n### mcusim: test\n\n2 runs, 40 test samples each, 0 mis")


@pytest.mark.parametrize("place", ["/dev/full", "/no/such/folder/x", "."])
def test_a_summary_that_cannot_be_written_is_no_failure(
    engine: FakeEngine, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", place)
    assert cli.execute(["run", "test.toml", "--junit", "j.xml"]) == 0
    out, err = capsys.readouterr()
    assert "note: GITHUB_STEP_SUMMARY cannot be written" in err and "junit: j.xml" in out


def test_a_summary_is_no_larger_than_github_takes(
    engine: FakeEngine, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcusim.commands.written.LARGEST_SUMMARY_BYTES", 100)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    assert cli.execute(["run", "test.toml"]) == 0
    text = Path("summary.md").read_text()
    assert len(text) < 160 and text.endswith("The rest is in report.json: GitHub takes 1 MiB.\n")


def test_a_broken_budget_is_exit_code_7(engine: FakeEngine, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(EXPERIMENT + "[expect]\nlatency_ms_max = 5.0\n")
    assert cli.execute(["run", "test.toml", "--junit", "j.xml"]) == 7
    assert "this run has no latency" in capsys.readouterr().out
    assert Path("j.xml").read_text().count("<failure") == 2


def test_a_failed_run_is_the_exit_code_of_its_error(
    engine: FakeEngine, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def trouble(_: int) -> None:
        raise EngineError("it hangs")

    engine.trouble = trouble
    assert cli.execute(["run", "test.toml"]) == 6
    assert "error: it hangs\n  failed: a, float32, host; a, int8, host\n" in capsys.readouterr().out


def test_a_missing_tool(engine: FakeEngine, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine.absent = MissingToolError("'cc' is not installed", where="PATH", hint="sudo apt-get install gcc")
    assert cli.execute(["run", "test.toml"]) == 4
    assert capsys.readouterr().err.splitlines() == [
        "error: 'cc' is not installed",
        "  in: PATH",
        "  hint: sudo apt-get install gcc",
    ]


def test_control_characters_of_names_never_reach_the_terminal(
    stages: FakeStages, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(*_: object) -> Source:
        raise ModelError("bad \x1b[31mlayer\n\x07", where="\x1b]0;x\x07", hint="\u202e")

    stages.read_model = load
    path.write_text(EXPERIMENT.replace('name = "a"', 'name = "\\u001b[31m[bold]"'))
    assert cli.execute(["run", "test.toml", "--out", "out"]) == 3
    out, err = capsys.readouterr()
    assert not {"\x1b", "\x07", "\u202e"} & set(out + err) and "[bold]" in out


def test_ctrl_c(engine: FakeEngine, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine.finished = 3
    assert cli.execute(["run", "test.toml", "--out", "out"]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "interrupted: what was finished is in out/report.json"
    assert Report.read(Path("out/report.json")).runs[0].samples == 3


OLD = "<testsuites> of an earlier run"


@pytest.mark.parametrize("ended_by", [KeyboardInterrupt(), OSError(28, "No space left"), ZeroDivisionError("a bug")])
def test_what_was_reached_is_told_to_ci_however_a_run_ends(
    engine: FakeEngine, path: Path, monkeypatch: pytest.MonkeyPatch, ended_by: BaseException
) -> None:
    def trouble(number: int) -> None:
        if number == 2:
            raise ended_by

    engine.trouble = trouble
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    Path("j.xml").write_text(OLD)
    assert cli.execute(["run", "test.toml", "--junit", "j.xml", "--markdown", "m.md"]) != 0
    assert "interrupted after 1 of 2 runs" in Path("j.xml").read_text()
    assert Path("m.md").read_text() == Path("summary.md").read_text()[:-1]
    assert "1 of 2 runs, 40 test samples each" in Path("m.md").read_text()


def test_ci_is_told_what_ended_all_before_the_first_run(engine: FakeEngine, path: Path) -> None:
    engine.absent = MissingToolError("'cc' is not installed", where="PATH", hint="sudo apt-get install gcc")
    Path("j.xml").write_text(OLD)
    assert cli.execute(["run", "test.toml", "--junit", "j.xml", "--markdown", "m.md"]) == 4
    assert """<error type="MissingToolError" message="'cc' is not installed">""" in Path("j.xml").read_text()
    told = "- error: 'cc' is not installed\n  - in: PATH\n  - hint: sudo apt-get install gcc\n"
    assert "0 of 2 runs" in Path("m.md").read_text() and told in Path("m.md").read_text()


@pytest.mark.parametrize("text", ["[dataset", EXPERIMENT + "[tarjet]\n"])
def test_no_file_of_an_earlier_run_outlives_an_experiment_that_cannot_be_read(path: Path, text: str) -> None:
    path.write_text(text)
    Path("j.xml").write_text(OLD)
    Path("link.md").symlink_to("m.md")
    Path("m.md").write_text(OLD)
    assert cli.execute(["run", "test.toml", "--junit", "j.xml", "--markdown", "link.md"]) == 2
    assert not Path("j.xml").exists() and not Path("m.md").exists() and Path("link.md").is_symlink()


def test_a_report_that_is_replaced_is_kept_and_told(
    engine: FakeEngine, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for chosen in ("int8", "float32"):
        assert cli.execute(["run", "test.toml", "--out", "out", "--data-type", chosen]) == 0
    told = "report: out/report.json (the one before: report-before.json)"
    assert capsys.readouterr().out.splitlines()[-1] == told
    assert Report.read(Path("out/report-before.json")).runs[0].data_type == "int8"


def test_ctrl_c_before_anything_was_finished(
    stages: FakeStages, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(*_: object) -> Dataset:
        raise KeyboardInterrupt

    stages.load_dataset = load
    assert cli.execute(["run", "test.toml", "--out", "out"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


# -- bugs, full disks, closed pipes ------------------------------------------------------------------------------------


def break_it(_: int) -> None:
    raise ZeroDivisionError("half\na reason")


def test_a_bug_is_one_line_and_a_file(engine: FakeEngine, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine.trouble = break_it
    assert cli.execute(["run", "test.toml", "--out", "out"]) == 1
    err = capsys.readouterr().err
    assert "bug: ZeroDivisionError: half a reason" in err and "Traceback" not in err
    assert "break_it" in Path("out/mcusim-bug.txt").read_text()


def test_a_bug_shows_its_traceback_when_asked(
    engine: FakeEngine, path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCUSIM_DEBUG", "1")
    engine.trouble = break_it
    assert cli.execute(["run", "test.toml"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["file/out", "file"])
def test_an_out_that_cannot_be_written(
    engine: FakeEngine, path: Path, capsys: pytest.CaptureFixture[str], out: str
) -> None:
    Path("file").write_text("mine")
    assert cli.execute(["run", "test.toml", "--out", out]) == 2
    assert capsys.readouterr().err.startswith("error: the system refused") and Path("file").read_text() == "mine"


def test_a_disk_that_fills_up_during_a_run(
    engine: FakeEngine, path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Report, "write", full)
    assert cli.execute(["run", "test.toml"]) == 2
    assert "No space left on device" in capsys.readouterr().err


def test_out_of_memory(engine: FakeEngine, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def trouble(_: int) -> None:
        raise MemoryError

    engine.trouble = trouble
    assert cli.execute(["run", "test.toml"]) == 2
    assert "out of memory" in capsys.readouterr().err


def test_a_reader_that_goes_away() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "mcusim", "layers"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    assert process.stdout and process.stderr
    process.stdout.close()
    assert process.stderr.read() == b"" and process.wait(30) == cli.BROKEN_PIPE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_standard_output_on_a_full_disk() -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mcusim", "boards"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )
    assert done.returncode == 2 and "Traceback" not in done.stderr and "No space left" in done.stderr


def test_a_terminal_that_knows_no_unicode(path: Path) -> None:
    path.with_name("ü.json").write_text("{")
    done = mcusim("report", "ü.json", cwd=path.parent, env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 3 and "Traceback" not in done.stderr


def test_sigterm_ends_like_ctrl_c(path: Path) -> None:
    code = """
import dataclasses, time
from mcusim.line import bench
from mcusim.commands import cli
def load(*_):
    print("go", flush=True)
    while True:
        time.sleep(0.05)  # one long sleep would not end by a signal that comes in the instant before it
bench.STAGES = dataclasses.replace(bench.STAGES, load_dataset=load)
cli.main()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, "run", "test.toml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=path.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout and process.stdout.readline() == "go\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=HANG_S)[1] == "interrupted\n" and process.returncode == 130


# -- stages ------------------------------------------------------------------------------------------------------------


def test_build_stops_at_the_firmware(engine: FakeEngine, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["build", "test.toml", "--out", "out"]) == 0
    assert "a, int8, host" in capsys.readouterr().out and engine.runs == 0


def test_generate_writes_a_library_for_each_quantization(engine: FakeEngine, path: Path) -> None:
    path.write_text(EXPERIMENT.replace('engine = "host"', 'boards = ["nucleo_l452re_p", "sparkfun_edge"]'))
    assert cli.execute(["generate", "test.toml", "--out", "out"]) == 0
    assert sorted(file.parent.name for file in Path("out/library").glob("*/model.c")) == ["a-float32", "a-int8"]


def test_generate_from_a_model_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcusim.line.library.read_model", lambda file: Source(graph(file.stem)))
    arguments = ["generate", "a.keras", "--data-type", "int16", "--scheme", "per-network", "--format", "Q7.9"]
    assert cli.execute([*arguments, "--out", "lib"]) == 0
    assert Path("lib/model.c").is_file()
    assert cli.execute([*arguments, "--out", "lib", "--name", "kws"]) == 0
    assert Path("lib/kws_model.c").is_file() and not Path("lib/model.c").exists(), "of the run before"


def test_generate_for_one_name_of_several_libraries(
    engine: FakeEngine, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.execute(["generate", "test.toml", "--out", "out", "--name", "kws"]) == 2
    assert "these are 2: a-float32, a-int8" in capsys.readouterr().err and not Path("out/library").exists()
    assert cli.execute(["generate", "test.toml", "--out", "out", "--name", "kws", "--data-type", "int8"]) == 0
    assert Path("out/library/a-int8/kws_model.h").is_file()


def test_all_that_is_wrong_with_generate_is_told_at_once(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "--model a --board x --board y --data-type int8 --data-type int16 --name 9"
    assert cli.execute(["generate", "a.keras", *words.split()]) == 2
    assert capsys.readouterr().err.count("error: ") == 5
    words = "--scheme per-foo --board nono --calibration none.npz --data-type int8 --out lib"
    assert cli.execute(["generate", "a.keras", *words.split()]) == 2
    told = capsys.readouterr().err
    assert all(what in told for what in ("'per-foo'", "'nono'", "'none.npz'", "a.keras")) and not Path("lib").exists()
    assert cli.execute(["generate", "test.toml", "--rounding", "floor", "--format", "Q7.9", "--name", "A"]) == 2
    assert capsys.readouterr().err.count("error: ") == 3


def test_train_needs_an_architecture_to_train(
    engine: FakeEngine, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.execute(["train", "test.toml", "--out", "out"]) == 0
    assert "not trained here" in capsys.readouterr().out


# -- report and doctor -------------------------------------------------------------------------------------------------


@pytest.fixture
def report(path: Path) -> Path:
    full_report().write(Path("report.json"))
    return Path("report.json")


def test_report_works_on_the_file_alone(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["report", "report.json"]) == 0, "the run's verdict is not the command's"
    assert "gestures: 4 runs" in capsys.readouterr().out


def test_report_writes_what_is_asked_for(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["report", ".", "--junit", "deep/j.xml", "--markdown", "-"]) == 0
    out = capsys.readouterr().out
    assert "### mcusim: gestures" in out and "junit: deep/j.xml" in out and "budgets: 1 of 5" not in out
    assert Path("deep/j.xml").is_file()
    assert cli.execute(["report", ".", "--junit", "j.xml", "--console"]) == 0
    assert "4 runs" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["report", "profile"])
def test_an_experiment_is_no_report(command: str, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute([command, "test.toml"]) == 2
    assert "'test.toml' is an experiment, not a report" in capsys.readouterr().err


def test_files_of_a_profile_are_for_one_run(
    report: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is said before anything else is."""
    found = [("one", None, None), ("other", None, None)]
    monkeypatch.setattr("mcusim.commands.profile._of_run", lambda *_, **__: found)
    assert cli.execute(["profile", str(report), "--stacks", "s.txt"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "2 runs fit, and a file is for one" in err and "one; other" in err


def test_a_damaged_report(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = json.loads(report.read_text())
    values["runs"][0]["samples"] = "many"
    report.write_text(json.dumps(values))
    assert cli.execute(["report", "report.json"]) == 3
    err = capsys.readouterr().err
    assert "no readable report: runs.0.samples" in err and "  in: report.json" in err


def row(name: str, *, found: str | None, required: bool = True) -> Any:
    return Tool(
        name, "a demo", required, found, None if found else "it is not there", None if found else "apt-get install it"
    )


@pytest.mark.parametrize(
    ("rows", "code", "words"),
    [
        ([row("gcc", found="12.2")], 0, "everything is there"),
        ([row("gcc", found="12.2"), row("qemu", found=None)], 4, "apt-get install it"),
        ([row("sklearn", found=None, required=False)], 0, "absent"),
        ([row("sklearn", found=None, required=False)], 0, "everything that is needed is there"),
    ],
)
def test_doctor(
    rows: list[Any], code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.modules["mcusim.commands.doctor"], "examine", lambda: rows)
    assert cli.execute(["doctor"]) == code
    assert words in capsys.readouterr().out


@pytest.mark.parametrize("command", ["generate", "run"])
def test_models_of_others_are_not_taken_for_experiments(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.pth").write_bytes(b"PK")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"")
    for name, help_ in (("net.pth", "torch.export"), ("saved", "model.save"), ("saved/saved_model.pb", "model.save")):
        assert cli.execute([command, str(tmp_path / name), "--out", str(tmp_path / "out")]) == 3
        told = capsys.readouterr().err
        assert help_ in told and "TOML" not in told
