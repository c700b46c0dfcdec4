"""The plug-in in pytest sessions of its own, on the host engine. They run in this process, which has imported all."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.reports.report import Report
from mcusim.system.cache import cache_folder
from mcusim.testing import pytest_items, pytest_plugin, pytest_runs
from mcusim.testing.measured import Measured
from tests.reports.reports import full_report
from tests.tflite_files import dense_file

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "pytest.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL)
pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="the host engine needs gcc")

EXPERIMENT = """\
[dataset]
file = "data.npz"
[[model]]
file = "tiny.tflite"
[[quantization]]
data_type = "float32"
[[quantization]]
data_type = "int8"
[target]
engine = "host"
"""
BUDGETS = "[expect]\nmismatches_max = 0\n[[expect_for]]\ndata_type = 'int8'\naccuracy_min = 0.999\n"
Session = Callable[..., "subprocess.CompletedProcess[str]"]
pytest_plugins = ("pytester",)
LOADED = (pytest_items, pytest_runs)  # a session forgets what it was the first to import


@pytest.fixture
def folder(pytester: pytest.Pytester) -> Path:
    """With an experiment of two runs, and its files."""
    random, folder = np.random.default_rng(0), pytester.path
    (folder / "tiny.tflite").write_bytes(dense_file())
    x, y = random.normal(size=(20, 4)).astype(np.float32), random.integers(0, 3, 20)
    np.savez(folder / "data.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    (folder / "exp.toml").write_text(EXPERIMENT)
    return folder


@pytest.fixture(scope="session")
def cache() -> Path:
    """As it is before pytester changes HOME."""
    return cache_folder()


@pytest.fixture
def session(cache: Path, folder: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Session:
    """`session(tests, *arguments)`: pytest with the plug-in, `apart` in a process of its own."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # an installed mcusim may be another tree
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("MCUSIM_CACHE_DIR", str(cache))

    def run(tests: str = "", *arguments: str, apart: bool = False) -> subprocess.CompletedProcess[str]:
        if tests:
            (folder / "test_it.py").write_text(tests)
        start = pytester.runpytest_subprocess if apart else pytester.runpytest_inprocess
        done = start("-p", "mcusim.testing.pytest_plugin", *arguments, f"--basetemp={folder / 'base'}")
        return subprocess.CompletedProcess((), done.ret, str(done.stdout), str(done.stderr))

    return run


def runs_of(folder: Path) -> list[Report]:
    return [Report.read(path) for path in (folder / "base" / "mcusim").glob("*/report.json")]


GOOD = """
def test_a(mcusim):
    assert mcusim.run("exp.toml").where(data_type="int8").mismatches == 0
def test_b(mcusim):
    assert mcusim.run("exp.toml").where(data_type="float32")["rom_bytes.total"] > 0
"""


def test_a_figure_passes_and_one_that_nobody_knows_does_not(session: Session) -> None:
    done = session(GOOD)
    assert "1 failed, 1 passed" in done.stdout, done.stdout
    assert "AssertionError: tiny, float32, host: nobody knows ROM" in done.stdout


def test_a_plain_assert_tells_run_unit_and_distance(session: Session) -> None:
    done = session('def test_a(mcusim):\n    assert mcusim.run("exp.toml", data_type="int8").accuracy >= 0.999\n')
    told = re.sub(r"\s+", " ", done.stdout)
    assert re.search(r"E assert accuracy \d+ % >= 99.9 %: off by [\d.]+ points E run: tiny, int8, host", told), told


def test_of_several_runs_one_has_to_be_chosen(session: Session) -> None:
    done = session('def test_a(mcusim):\n    mcusim.run("exp.toml").accuracy\n')
    wanted = "2 runs have a figure 'accuracy', choose one by model, data_type, board, engine: tiny, float32, host; tiny"
    assert wanted in done.stdout and "mcusim/testing" not in done.stdout, "our frames are not the user's business"


def test_an_error_is_told_as_the_command_tells_it(session: Session) -> None:
    done = session(
        'def test_a(mcusim):\n    mcusim.run("no.toml")\ndef test_b(mcusim):\n    mcusim.run("exp.toml").rom\n'
    )
    assert "cannot read 'no.toml': No such file or directory\nin: no.toml\nhint: check the path\n" in done.stdout
    assert "no report has a figure 'rom': did you mean" in done.stdout or "known: " in done.stdout
    assert "During handling" not in done.stdout and "Traceback" not in done.stdout


def test_a_run_that_failed_fails_the_test(session: Session, folder: Path) -> None:
    (folder / "exp.toml").write_text(EXPERIMENT.replace('"tiny.tflite"', '"tiny.tflite"\ninput_shape = [5]'))
    done = session('def test_a(mcusim):\n    mcusim.run("exp.toml")\n')
    assert "1 failed" in done.stdout and "hint: " in done.stdout and "mcusim/testing" not in done.stdout


@pytest.mark.parametrize("options", [("-p", "xdist", "-n", "2"), ("-p", "no:cacheprovider")])
def test_the_same_run_is_done_once(session: Session, folder: Path, options: tuple[str, ...]) -> None:
    """Also by two processes."""
    tests = (
        'import pathlib, pytest\n@pytest.mark.parametrize("n", range(6))\ndef test_a(mcusim, n):\n'
        '    told = mcusim.run("exp.toml").report\n'
        '    pathlib.Path(f"{n}.seen").write_text(f"{told.started} {told.wall_s}")\n'
    )
    done = session(tests, *options, apart="-n" in options)
    assert "6 passed" in done.stdout, done.stdout + done.stderr
    assert len(runs_of(folder)) == 1 and len({path.read_text() for path in folder.glob("*.seen")}) == 1


def test_what_changed_is_run_again(session: Session, folder: Path) -> None:
    session(
        'from pathlib import Path\ndef test_a(mcusim):\n    before = mcusim.run("exp.toml").report\n'
        '    file = Path("tiny.tflite")\n    file.write_bytes(file.read_bytes() + b"\\0")\n    mcusim.run("exp.toml")\n'
        '    mcusim.run("exp.toml", samples=3)\n'
    )
    assert sorted(report.runs[0].samples for report in runs_of(folder)) == [3, 20, 20]


def test_options_are_fixtures_that_can_be_parametrized(session: Session) -> None:
    tests = (
        "import pytest\ndef test_a(mcusim, mcusim_samples):\n"
        '    assert mcusim.run("exp.toml", data_type="int8")["samples"] == int(mcusim_samples)\n'
        '@pytest.mark.parametrize("mcusim_samples", [2])\ndef test_b(mcusim):\n'
        '    assert mcusim.run("exp.toml", data_type="int8")["samples"] == 2\n'
        '@pytest.mark.mcusim("exp.toml", samples=4, data_type="int8")\ndef test_c(mcusim_run):\n'
        '    assert mcusim_run["samples"] == 4 and mcusim_run.run.engine == "host"\n'
        "def test_d(mcusim_run): pass\n"
    )
    done = session(tests, "-v", "--mcusim-samples=3", "--mcusim-samples=5", "--mcusim-engine=host", "-k", "test_")
    for one in ("test_a[3] PASSED", "test_a[5] PASSED", "test_b[2] PASSED", "test_c[3] PASSED"):
        assert one in done.stdout, done.stdout
    assert "mcusim_run needs an experiment: @pytest.mark.mcusim('experiment.toml')" in done.stdout


def test_what_cannot_run_here_is_skipped_with_the_reason(session: Session) -> None:
    done = session(
        "import pytest\n@pytest.mark.needs_renode\ndef test_a(): pass\n"
        '@pytest.mark.needs_board("sparkfun_edge")\ndef test_b(): pass\n'
        "@pytest.mark.needs_hardware\ndef test_c(): pass\n",
        *("-rs", "--strict-markers", "--mcusim-board=nucleo_l452re_p"),
    )
    assert "it is for sparkfun_edge, and --mcusim-board is nucleo_l452re_p" in done.stdout
    assert "the hardware map has no nucleo_l452re_p: mcusim hardware add ID TYPE" in done.stdout
    assert "3 skipped" in done.stdout and ("is not installed" in done.stdout or "cannot be found" in done.stdout)


def test_a_baseline_is_written_and_held(session: Session, folder: Path) -> None:
    tests = 'def test_a(mcusim):\n    assert mcusim.run("exp.toml").no_worse_than("kept/base.json")\n'
    assert "hint: pytest --mcusim-update-baseline writes it" in session(tests).stdout
    assert "1 passed" in session(tests, "--mcusim-update-baseline").stdout and "1 passed" in session(tests).stdout
    path = folder / "kept" / "base.json"
    path.write_text(re.sub(r'"mismatches": 0', '"mismatches": -1', path.read_text()))
    done = session(tests)
    assert re.search(
        r"tiny, int8, host: mismatches .*, from -1 samples to 0 samples: more than is allowed", done.stdout
    )
    tests = tests.replace('base.json"', 'base.json", mismatches=1')
    assert "1 passed" in session(tests).stdout
    assert "unknown figure 'mismatch'" in session(tests.replace("mismatches=", "mismatch=")).stdout


# -- files that are tests ----------------------------------------------------------------------------------------------


def test_a_file_is_a_test_for_each_run_and_budget(session: Session, folder: Path) -> None:
    (folder / "exp.toml").rename(folder / "mcusim_tiny.toml")
    (folder / "mcusim_tiny.toml").write_text(EXPERIMENT + BUDGETS)
    done = session("", "-v", "--junit-xml=j.xml", "-o", "junit_family=xunit1")
    for one in ("float32, host PASSED", "float32, host: mismatches_max PASSED", "int8, host: accuracy_min FAILED"):
        assert f"mcusim_tiny.toml::tiny, {one}" in done.stdout, done.stdout
    assert "\naccuracy " in done.stdout and "% is under 99.9 % by" in done.stdout and "pytest_items" not in done.stdout
    assert len(runs_of(folder)) == 1
    xml = (folder / "j.xml").read_text()
    assert 'name="tiny, int8, host: accuracy_min" file="mcusim_tiny.toml" line="14"' in xml
    assert '<property name="accuracy" value="' in xml


def test_a_file_that_is_no_experiment_is_an_error_of_its_collection(session: Session, folder: Path) -> None:
    (folder / "mcusim.toml").write_text("[target]\nengine = 'qmeu'\n")
    done = session()
    assert "unknown engine 'qmeu'" in done.stdout and "hint: did you mean 'qemu'?" in done.stdout
    assert "1 error" in done.stdout and "Traceback" not in done.stdout and "pydantic" not in done.stdout


def test_budgets_of_a_run_that_failed_are_skipped(session: Session, folder: Path) -> None:
    broken = EXPERIMENT.replace('"tiny.tflite"', '"tiny.tflite"\ninput_shape = [5]')
    (folder / "mcusim.toml").write_text(broken + BUDGETS)
    done = session("", "-rs")
    assert "2 failed, 3 skipped" in done.stdout and "the run failed" in done.stdout, done.stdout


# -- what it costs others ----------------------------------------------------------------------------------------------


def test_without_its_fixtures_nothing_of_mcusim_is_imported(session: Session) -> None:
    allowed = "{'mcusim', 'mcusim.system', 'mcusim.system.interruption', 'mcusim.system.version', 'mcusim.testing', "
    allowed += "'mcusim.testing.pytest_plugin'}"
    done = session(
        "import sys\ndef test_a():\n    assert 1 < 2\n"
        "    loaded = {name for name in sys.modules if name.split('.')[0] == 'mcusim'}\n"
        f"    assert loaded <= {allowed}\n"
        "    assert 'pydantic' not in sys.modules and 'numpy' not in sys.modules\n",
        apart=True,
    )
    assert "1 passed" in done.stdout, done.stdout


def test_it_is_found_where_mcusim_is_installed() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert f'[project.entry-points.pytest11]\nmcusim = "{pytest_plugin.__name__}"\n' in text


def test_the_error_of_cycles_is_told_with_them() -> None:
    run = full_report().runs[1]
    figure = Measured.of(run, *latency(run.latency_ms))
    first, label, error = figure.against("<=", 12)
    assert first == "latency 41.7 ms <= 12 ms: off by 248 %" and label == "run: cnn, float32, nucleo_l452re_p"
    assert error.startswith("± 1.16 % (median), 5.7 % (p90): 39 held-out measurements")
    assert repr(figure) == "latency 41.7 ms of cnn, float32, nucleo_l452re_p" and figure + 0.3 == 42


def latency(value: float | None) -> tuple[Any, float]:
    from mcusim.reports.figures import FIGURES

    assert value is not None
    return FIGURES["latency_ms"], value


def test_the_code_of_the_docs_runs(session: Session, folder: Path) -> None:
    python = [code for kind, code in BLOCKS if kind == "python"]
    [toml] = [code for kind, code in BLOCKS if kind == "toml"]
    assert len(python) + 1 == len(BLOCKS) > 3
    (folder / "exp.toml").rename(folder / "experiment.toml")
    (folder / "mcusim.toml").write_text(toml)
    done = session("\n\n".join(python), "-v", "--mcusim-update-baseline")
    assert "6 passed" in done.stdout and (folder / "baseline.json").is_file(), done.stdout
    for line in re.findall(r"^    (mcusim\.toml::.*)$", DOCS, re.MULTILINE):
        assert line in done.stdout
