"""CONTRIBUTING.md and README.md stay true: recipes are short, and what they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcusim.commands.cli import INTERRUPTED
from mcusim.system import errors

ROOT = Path(__file__).parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
LONGEST_RECIPE = 8

PARTS = re.split(r"^## (Add .*)$", CONTRIBUTING, flags=re.MULTILINE)
RECIPES = dict(zip(PARTS[1::2], PARTS[2::2], strict=True))


def test_there_is_a_recipe_for_each_thing() -> None:
    names = [
        *(
            "a layer",
            "a kernel",
            "an approximation",
            "a number system",
            "a model format",
            "a core",
            "a board",
            "an engine",
        ),
        *("a workload", "a task", "a figure", "a report format", "a search", "an architecture", "a data set"),
    ]
    assert [name.removeprefix("Add ") for name in RECIPES] == names


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_followed(name: str) -> None:
    """By a test that does what it says, in a copy of the tree."""
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "recipes").glob("test_*.py"))
    assert f"\ndef test_{name.removeprefix('Add ').replace(' ', '_')}(tree: Tree)" in tests


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_short(name: str) -> None:
    assert len([line for line in RECIPES[name].splitlines() if line.strip()]) <= LONGEST_RECIPE


PATHS = sorted(set(re.findall(r"`([\w.]+/[\w./<>-]*)`", CONTRIBUTING + README)))


@pytest.mark.parametrize("path", PATHS)
def test_files_that_are_named_are_there(path: str) -> None:
    if path.startswith("lib/"):
        return  # what `mcusim generate` writes
    parts = path.split("<", maxsplit=1)[0].rpartition("/")[0] if "<" in path else path
    assert (ROOT / parts).exists(), path


def test_the_literals_that_recipes_name_are_there() -> None:
    named = re.findall(r"Name it in `([A-Z]+)` in `([\w/.]+)`", CONTRIBUTING)
    assert len(named) == 12
    for literal, path in named:
        assert re.search(rf"^{literal}\b", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), literal


def test_the_exit_codes_of_the_readme_are_those_of_the_program() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.McusimError)]
    assert told == {kind.exit_code for kind in kinds} | {errors.OK, errors.BUDGET_BROKEN, INTERRUPTED}


def test_folders_of_the_readme_are_there() -> None:
    table = README.partition("## Navigating")[2].partition("##")[0]
    folders = re.findall(r"`([\w/]+/)`", table)
    assert len(folders) > 8 and all((ROOT / folder).is_dir() for folder in folders)
    visible = {f"{path.name}/" for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))}
    assert visible - {"build/", "dist/"} <= set(folders), "a folder that the README does not mention"


def test_links_lead_somewhere() -> None:
    for text in (README, CONTRIBUTING):
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (ROOT / target).exists(), target
