"""action.yml, its steps run as GitHub's runner runs them: in bash, with inputs, files and variables of a job."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.reports.report import Report, Run
from mcusim.system.errors import BUDGET_BROKEN
from tests.github_api import GitHub, packed
from tests.github_api import github as github  # noqa: PLC0414  (a fixture)
from tests.processes import HANG_S
from tests.test_workflows import ACTION, ROOT, program, read, run
from tests.tflite_files import dense_file
from tests.warm import warm

EXPERIMENT = """\
[[model]]
file = "model.tflite"

[[quantization]]
data_type = "int8"

[expect]
mismatches_max = 0
"""
BROKEN = EXPERIMENT + "rom_bytes_max = 10\n"  # line 9; an engine without ROM keeps no such budget
PYTHON = """\
#!/bin/bash
case "$*" in
  "-m pip install"*) printf '%s\\n' "$@" > "{told}" ;;
  *) exec "{python}" "$@" ;;
esac
"""


@dataclass
class Runner:
    """A job in `folder` (a checkout) with the action's inputs; what its steps left behind."""

    folder: Path
    temp: Path
    inputs: dict[str, str]
    event: str = "pull_request"
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    used: dict[str, dict[str, str]] = field(default_factory=dict)
    caches: list[dict[str, str]] = field(default_factory=list)
    log: str = ""

    def run(self) -> int:
        """-> what the job ends with. A step is run while all is well, or when its condition says so."""
        ends_with = 0
        for step in read(ACTION)["runs"]["steps"]:
            asked = step.get("if")
            in_spite = asked and re.search(r"always\(\)|!cancelled\(\)", asked)
            if (ends_with == 0 or in_spite) and (asked is None or self.holds(asked)):
                ends_with = self.step(step) or ends_with
        return ends_with

    def value(self, expression: str) -> str:
        """`inputs.name`, `steps.id.outputs.name` and what GitHub tells."""
        known = {"github.token": "token-of-the-job", "github.event_name": self.event, "runner.os": "Linux"}
        known |= {"runner.arch": "X64", "github.sha": "0" * 40}
        match expression.split("."):
            case ["inputs", name]:
                declared = read(ACTION)["inputs"][name]["default"]
                return self.inputs.get(name, declared)
            case ["steps", step, "outputs", name]:
                return self.outputs.get(step, {}).get(name, "")
        return known[expression]

    def filled(self, text: str) -> str:
        return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: self.value(found[1]), text)

    def holds(self, condition: str) -> bool:
        """Of `a == 'b'` and `a != 'b'`, with && and || and brackets around them."""
        told = re.sub(r"always\(\)|!cancelled\(\)", "True", condition)
        told = re.sub(r"([a-z][\w.-]*\.[\w.-]+) ([!=]=)", lambda found: f"{self.value(found[1])!r} {found[2]}", told)
        return bool(eval(told.replace("&&", "and").replace("||", "or"), {"__builtins__": {}}))

    def step(self, step: dict[str, Any]) -> int:
        name = step["name"]
        if "uses" in step:
            action = step["uses"].partition("@")[0]
            self.used[action] = {key: self.filled(str(told)) for key, told in step["with"].items()}
            self.caches += [self.used[action]] if action == "actions/cache" else []
            return 0
        script, output = self.temp / "step.sh", self.temp / "output"
        script.write_text(step["run"])
        output.write_text("")
        given = {key: self.filled(told) for key, told in step.get("env", {}).items()}
        own = {"GITHUB_ACTIONS": "true", "GITHUB_ACTION_PATH": str(ROOT), "RUNNER_TEMP": str(self.temp), "CI": "true"}
        own |= {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(self.temp / "summary.md"), "MCUSIM_APT": "no"}
        environment = {**os.environ, "GITHUB_TOKEN": "", "PYTHONPATH": str(ROOT), **own, **given}
        shell = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)]
        done = subprocess.run(
            shell, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=HANG_S, check=False
        )
        self.log += done.stdout + done.stderr
        self.codes[name] = done.returncode
        self.outputs[step.get("id", name)] = dict(line.split("=", 1) for line in output.read_text().splitlines())
        return done.returncode

    @property
    def report(self) -> Report:
        return Report.read(self.folder / self.outputs["folder"]["folder"] / "report.json")


@pytest.fixture(scope="module")
def mcusim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The program, for bash."""
    with warm(tmp_path_factory.mktemp("warm")) as words:
        yield shlex.join(words)


@pytest.fixture
def job(tmp_path: Path, mcusim: str) -> Runner:
    """An environment that script/setup takes for a whole one, with a pip that only notes what it is asked."""
    folder, temp = tmp_path / "checkout", tmp_path / "temp"
    bin_folder = temp / "mcusim" / "bin"
    for made in (folder, bin_folder):
        made.mkdir(parents=True)
    (bin_folder / "python").write_text(PYTHON.format(told=temp / "pip.txt", python=sys.executable))
    (bin_folder / "mcusim").write_text(f'#!/bin/bash\nexec {mcusim} "$@"\n')
    for path in bin_folder.iterdir():
        path.chmod(0o755)
    (folder / "model.tflite").write_bytes(dense_file())  # its framework is small
    (folder / "experiment.toml").write_text(EXPERIMENT)
    return Runner(folder, temp, {"engine": "host", "samples": "3", "html": "false"})


def labelled(folder: Path) -> None:
    """A test set, for the accuracy of a network."""
    x, y = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32), np.arange(40) % 3
    np.savez(folder / "data.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    text = (folder / "experiment.toml").read_text()
    (folder / "experiment.toml").write_text(f'[dataset]\nfile = "data.npz"\n{text}')


def better(run: Run) -> Run:
    assert run.accuracy is not None
    return replace(run, accuracy=run.accuracy + 0.01)


# -- a run -------------------------------------------------------------------------------------------------------------


def test_a_good_run(job: Runner) -> None:
    job.inputs |= {"args": "--data-type int8 --seed 3"}
    assert job.run() == 0, job.log
    assert job.outputs["run"] == {"exit-code": "0"} and job.report.complete
    assert [run.samples for run in job.report.runs] == [3]
    assert "::error" not in job.log and "mcusim: " in (job.temp / "summary.md").read_text()
    assert (job.temp / "pip.txt").read_text().splitlines()[-2:] == ["--editable", str(ROOT)], "without any extra"
    assert {"Comparison", "Comment"}.isdisjoint(job.codes)
    told = job.used["actions/upload-artifact"]
    assert told["name"] == "mcusim" and "build/mcusim/*.json" in told["path"].split()
    packages, runs = job.caches
    assert "~/.cache/pip" in packages["path"] and re.search(r"-[0-9a-f]{16}$", packages["key"])
    assert list((job.folder / runs["path"]).iterdir()), "what the run saw, for the next job"


@pytest.mark.parametrize(
    ("fail_on", "ends_with"), [("budget", BUDGET_BROKEN), ("error", 0), ("never", 0), ("neevr", 7)]
)
def test_a_broken_budget_stands_at_its_line(job: Runner, fail_on: str, ends_with: int) -> None:
    (job.folder / "experiment.toml").write_text(BROKEN)
    job.inputs |= {"fail-on": fail_on, "cache": "false"}
    assert job.run() == ends_with
    assert job.outputs["run"] == {"exit-code": "7"}
    assert re.search(
        r"^::error file=experiment\.toml,line=9,title=model%2C int8%2C host::rom_bytes_max ", job.log, re.MULTILINE
    )
    assert list(job.used) == ["actions/upload-artifact"], "whatever it ended with"


@pytest.mark.parametrize(("fail_on", "ends_with"), [("budget", 2), ("error", 2), ("never", 0)])
def test_an_experiment_that_is_not_there(job: Runner, fail_on: str, ends_with: int) -> None:
    job.inputs |= {"experiment": "a; echo pwned $(id).toml", "fail-on": fail_on, "board": "$(id)"}
    assert job.run() == ends_with
    assert job.outputs["run"] == {"exit-code": "2"} and "::error title=mcusim::no run: see the log" in job.log
    assert "uid=" not in job.log and "actions/upload-artifact" in job.used


def test_an_extra_is_installed(job: Runner) -> None:
    job.inputs |= {"extras": "train,examples"}
    assert job.run() == 0, job.log
    assert f"{ROOT}[train,examples]" in (job.temp / "pip.txt").read_text()


def test_names_that_are_commands_are_none(job: Runner) -> None:
    (job.folder / "experiment.toml").write_text(BROKEN.replace("[[model]]", '[[model]]\nname = "::add-mask::x%0A::y"'))
    job.run()
    commands = [line for line in job.log.splitlines() if line.lstrip().startswith("::")]
    assert commands and all(
        line.startswith("::error file=experiment.toml,line=10,title=%3A%3Aadd-mask") for line in commands
    )


def test_shards_and_their_whole(job: Runner) -> None:
    """Artefacts are folders below one; budgets are judged in the last job."""
    (job.folder / "experiment.toml").write_text(BROKEN)
    for number in (1, 2):
        job.inputs |= {"name": f"shard-{number}", "shard": f"{number}/2"}
        assert job.run() == 0, job.log
        kept = job.used["actions/upload-artifact"]
        assert kept["name"] == f"shard-{number}" and f"build/shard-{number}/*/shard.part" in kept["path"].split()
        (job.folder / "shards").mkdir(exist_ok=True)
        (job.folder / "build" / f"shard-{number}").rename(job.folder / "shards" / f"shard-{number}")
    job.inputs |= {"name": "mcusim", "shard": "", "merge": "shards"}
    assert job.run() == BUDGET_BROKEN, job.log
    assert [run.samples for run in job.report.runs] == [3] and job.report.complete
    assert "::error file=experiment.toml,line=9," in job.log


# -- a pull request ----------------------------------------------------------------------------------------------------


def test_one_comment_of_two_jobs(job: Runner, github: GitHub) -> None:
    job.inputs |= {"comment": "true"}
    assert job.run() == 0 and job.run() == 0, job.log
    [told] = github.comments
    assert told["body"].startswith("<!-- mcusim: mcusim -->\n### mcusim: checkout")
    job.event, asked = "push", len(github.asked)
    assert job.run() == 0 and len(github.asked) == asked


def test_a_first_run_has_no_baseline_and_says_so(job: Runner, github: GitHub) -> None:
    job.inputs |= {"baseline": "artefact", "comment": "true"}
    assert job.run() == 0, job.log
    assert "there is no baseline yet" in job.log and "mcusim" in github.comments[0]["body"]


def test_less_accurate_than_the_default_branch(job: Runner, github: GitHub) -> None:
    """tests/test_tutorial.py has the job that fails; this one is not asked to."""
    with (job.folder / "experiment.toml").open("a") as file:
        file.write("[regress]\naccuracy = 0\n")
    labelled(job.folder)
    line = len((job.folder / "experiment.toml").read_text().splitlines())
    job.inputs |= {"samples": "all"}
    assert job.run() == 0, job.log
    report = job.report
    github.add_artifact(packed(report_json=replace(report, runs=(better(report.runs[0]),)).to_json().encode()))
    job.inputs |= {"baseline": "artefact", "fail-on": "error"}
    assert job.run() == 0, job.log
    assert job.outputs["run"] == {"exit-code": "0"}
    told = f"::error file=experiment.toml,line={line},title=model%2C int8%2C host::accuracy "
    assert told in job.log, "at its line of [regress]"


def test_a_baseline_that_is_a_file_needs_no_token(job: Runner) -> None:
    assert job.run() == 0, job.log
    (job.folder / "build" / "mcusim" / "report.json").rename(job.folder / "base.json")
    job.inputs["baseline"] = "base.json"
    assert job.run() == 0, job.log
    assert (job.folder / "build" / "mcusim" / "compare.md").exists()


# -- the file ----------------------------------------------------------------------------------------------------------


def test_it_follows_the_published_schema() -> None:
    pytest.importorskip("check_jsonschema", reason="pip install 'mcusim[dev]'")
    run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-actions", ACTION)


def test_scripts_contain_no_expressions_and_are_clean(tmp_path: Path) -> None:
    scripts = [step["run"] for step in read(ACTION)["runs"]["steps"] if "run" in step]
    assert not [script for script in scripts if "${{" in script]
    paths = []
    for index, script in enumerate(scripts):
        paths.append(tmp_path / f"{index}.sh")
        paths[-1].write_text(f"#!/bin/bash\n{script}")
    run(program("shellcheck", "sudo apt-get install shellcheck"), *paths)


def test_docs_tell_every_input() -> None:
    docs = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.*?) \|", docs, re.MULTILINE))
    told = {name: f"`{entry['default']}`" if entry["default"] else "" for name, entry in read(ACTION)["inputs"].items()}
    assert {name: rows.get(name) for name in told} == told
