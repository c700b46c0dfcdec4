"""pyproject.toml: dependencies are what is imported, each with a reason; the wheel carries what is not Python."""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

import mcusim
from mcusim.system import assets
from mcusim.system.toml_file import read_toml
from mcusim.system.version import VERSION
from tests.test_workflows import read
from tests.trees import forget as forget  # noqa: PLC0414  (a fixture)
from tests.trees import imports_in

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT: dict[str, Any] = read_toml(ROOT / "pyproject.toml")[0]
NOT_ON_PYPI = {"pyrenode3", "System"}  # what `mcusim engines install renode` fetches, and what is inside it
NOT_IMPORTED = {"tensorflow", "scikit-learn"}  # behind Keras; of which a file is read
MODULES = {  # where names differ
    "elftools": "pyelftools",
    "robot": "robotframework",
    "ppk2_api": "ppk2-api",
    "serial": "pyserial",
    "tensorflow": "tensorflow-cpu",
    "vl_convert": "vl-convert-python",
}


def requirement(line: str) -> str:
    match = re.match(r"[A-Za-z0-9_-]+", line)
    assert match
    return match[0]


def imported() -> set[str]:
    """Top-level packages that mcusim imports, its own and the standard library's left out."""
    found = set()
    for path in (ROOT / "mcusim").rglob("*.py"):
        for node in imports_in(path):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif node.level == 0:
                found.add((node.module or "").split(".")[0])
    own = {name for name in found if name not in sys.stdlib_module_names and name not in ("mcusim", "tomllib")}
    own -= NOT_ON_PYPI
    return {MODULES.get(name, name.replace("_", "-")) for name in own}


def test_dependencies_are_what_is_imported() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    declared = {
        requirement(line)
        for lines in (
            PROJECT["project"]["dependencies"],
            extras["train"],
            extras["examples"],
            extras["html"],
            extras["explore"],
            extras["robot"],
            extras["pytest"],
            extras["proof"],
            extras["unicorn"],
            extras["hardware"],
            extras["probe"],
            extras["meters"],
            extras["pytorch"],
        )
        for line in lines
    }
    assert imported() - declared == set(), "imported, not declared"
    assert declared - imported() - NOT_IMPORTED == set(), "declared, not imported"


def test_every_dependency_has_a_reason_and_a_lower_bound() -> None:
    block = TEXT.partition("\ndependencies = [")[2].partition("\n]")[0]
    for line in block.strip().splitlines():
        assert re.search(r'">?[\w-]+>=[\d.]+.*",\s+# .{10,}', line.strip()), line


def test_the_wheel_carries_every_folder_that_the_package_reads() -> None:
    carried = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    folders = [value for value in vars(assets).values() if isinstance(value, Path) and value.parent == assets.ROOT]
    names = {folder.name for folder in folders if folder.is_dir() and folder.name != "mcusim"}
    assert names and carried == {name: f"mcusim/_assets/{name}" for name in names}


def test_the_version_is_read_from_the_module_that_holds_it() -> None:
    module = ROOT / PROJECT["tool"]["hatch"]["version"]["path"]
    assert f'\nVERSION = "{VERSION}"\n' in module.read_text(encoding="utf-8") and mcusim.__version__ == VERSION


def test_versions_of_python_agree() -> None:
    assert PROJECT["project"]["requires-python"] == ">=3.10"
    assert PROJECT["tool"]["ruff"]["target-version"] == "py310"
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert '["3.10", "3.11", "3.12", "3.13"]' in workflow


@pytest.mark.parametrize("script", ["script/setup", "script/demo", "script/test", ".ci/run"])
def test_scripts_can_be_run(script: str) -> None:
    path = ROOT / script
    assert os.access(path, os.X_OK) and path.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")


def test_the_citation_follows_the_published_schema() -> None:
    check_jsonschema = pytest.importorskip("check_jsonschema", reason="pip install 'mcusim[dev]'")
    schemas = Path(check_jsonschema.__file__).parent / "builtin_schemas" / "vendor"
    schema = json.loads((schemas / "citation-file-format.json").read_text(encoding="utf-8"))
    citation = read(ROOT / "CITATION.cff")
    assert [error.message for error in Draft7Validator(schema).iter_errors(citation)] == []
    assert citation["version"] == VERSION and citation["license"] == PROJECT["project"]["license"]


def test_addresses_are_all_of_one_repository() -> None:
    urls = PROJECT["project"]["urls"]
    repository = urls["Repository"]
    assert all(url == repository or url.startswith(f"{repository}/") for url in urls.values())
    assert read(ROOT / "CITATION.cff")["repository-code"] == repository
    for name in ("README.md", "SECURITY.md", "docs/ci.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        owners = set(re.findall(r"([\w-]+)/mcusim(?=[@/`\n]|$)", text)) - {"src", "cache"}
        assert owners == {repository.split("/")[-2]}, name
    for path in re.findall(r"(?:blob|tree)/main/(\S+)", " ".join(urls.values())):
        assert (ROOT / path).exists(), path


def test_the_licence_is_there() -> None:
    assert PROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "mcusim" / "py.typed").is_file()
