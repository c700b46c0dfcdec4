"""docs/tutorial.md, from its first line to its last: blocks in their order, in a folder with a model and nothing else.

`.ci/run wheel` runs it with mcusim from the wheel.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from mcusim.commands.cli import execute
from mcusim.models import read_model
from mcusim.system.errors import BUDGET_BROKEN, OK
from tests.blocks import CONSOLE, ROOT, blocks
from tests.github_api import GitHub, packed
from tests.github_api import github as github  # noqa: PLC0414  (a fixture)
from tests.test_action import Runner
from tests.test_action import job as job  # noqa: PLC0414
from tests.test_action import mcusim as mcusim  # noqa: PLC0414
from tests.test_docs import commands
from tests.test_workflows import read
from tests.tflite_files import dense_file

PAGE = ROOT / "docs" / "tutorial.md"
WORKFLOW = Path(".github/workflows/boards.yml")


def test_blocks_are_those_that_are_followed() -> None:
    """Below, in this order."""
    assert [block.language for block in blocks(PAGE)] == [CONSOLE, "python", CONSOLE, "toml", CONSOLE, "yaml"]


@pytest.mark.arm
def test_from_an_empty_folder_to_a_gated_pull_request(
    job: Runner, github: GitHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(job.folder)
    (job.folder / "experiment.toml").unlink()
    (job.folder / "model.tflite").write_bytes(dense_file())
    x = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    right = read_model(Path("model.tflite"), "model").graph.run(x).argmax(axis=1)
    _, data, init, experiment, run, workflow = (block.text for block in blocks(PAGE))

    exec(data, {"x_train": x, "x_test": x, "y_test": right})
    console(init)
    assert "[[quantization]]" in Path("experiment.toml").read_text()
    Path("experiment.toml").write_text(experiment)
    console(run)
    assert "budgets: 4 of 4 kept" in capsys.readouterr().out

    WORKFLOW.parent.mkdir(parents=True)
    WORKFLOW.write_text(workflow)
    [used] = [step for step in read(WORKFLOW)["jobs"]["boards"]["steps"] if "/mcusim@" in step["uses"]]
    job.inputs = {**used["with"], "html": str(find_spec("vl_convert") is not None).lower()}
    github.add_artifact(packed(report_json=Path("build/boards/report.json").read_bytes()))
    (job.folder / "model.tflite").write_bytes(dense_file(seed=1))
    assert job.run() == BUDGET_BROKEN, job.log
    assert job.outputs["run"] == {"exit-code": "0"} and job.codes["Comparison"] == BUDGET_BROKEN
    line = experiment.splitlines().index('accuracy = "0.5pt"') + 1
    [told] = re.findall(r"`(accuracy -[^`]+)`", PAGE.read_text(encoding="utf-8"))
    place = f"::error file=experiment.toml,line={line},title=model%2C int8%2C nucleo_l452re_p::"
    assert place + told.replace("%", "%25") in job.log
    made = job.folder / "build" / "mcusim"
    assert job.inputs["html"] == "false" or "<html" in (made / "report.html").read_text()


def console(text: str) -> None:
    for program, *arguments in commands(text):
        assert program == "mcusim"
        assert execute(arguments) == OK
