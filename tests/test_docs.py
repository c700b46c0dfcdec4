"""What docs, README and recipes show is right: each block of code is parsed and held against what it is for.

TOML is an experiment, a board or a chip, YAML a workflow or a job, a command one that there is, with options that it
takes. What nothing can be said of has a comment above it: `<!-- not tested: why -->`. docs/tutorial.md is run:
test_tutorial.py.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click
import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from mcusim.commands import cli
from mcusim.experiment.schema import SCHEMAS, Schema
from tests.blocks import BLOCKS, CONSOLE, ROOT, TEXTS, Block
from tests.test_workflows import ACTION, read

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OTHERS = ("cd", "cmake", "docker", "git", "pip", "renode", "renode-test", "sudo")  # programs of others


def toml(block: Block) -> None:
    """A part of a file counts: what is missing stands elsewhere."""
    told = tomllib.loads(block.text)
    kinds = [
        kind
        for kind in ("experiment", "board", "chip", "hardware")
        if told.keys() <= SCHEMAS[kind]()["properties"].keys()
    ]
    assert kinds, "of none of the files that people write"
    problems = [[*Draft202012Validator({**SCHEMAS[kind](), "required": []}).iter_errors(told)] for kind in kinds]
    assert [] in problems, problems


def yaml(block: Block) -> None:
    values = read(block.text)
    is_workflow = "jobs" in values
    schema = published("github-workflows" if is_workflow else "gitlab-ci")
    assert [error.message for error in Draft7Validator(schema).iter_errors(values)] == []
    for step in (step for job in values.get("jobs", {}).values() for step in job["steps"]):
        if step.get("uses", "").startswith("OWNER/mcusim@"):
            assert step.get("with", {}).keys() <= read(ACTION)["inputs"].keys()


def published(name: str) -> Schema:
    found = pytest.importorskip("check_jsonschema", reason="pip install 'mcusim[dev]'")
    path = Path(found.__file__).parent / "builtin_schemas" / "vendor" / f"{name}.json"
    schema: Schema = json.loads(path.read_text(encoding="utf-8"))
    return schema


def python(block: Block) -> None:
    compile(block.text, block.name, "exec", dont_inherit=True)


def robotframework(block: Block) -> None:
    """Keywords are those of the library, or of Robot itself."""
    api = pytest.importorskip("robot.api", reason="pip install 'mcusim[dev]'")
    from robot.libdocpkg import LibraryDocumentation

    known = {keyword.name for keyword in LibraryDocumentation("mcusim.testing.robot_library").keywords}
    suite = api.TestSuite.from_string(block.text)
    used = {step.name for test in suite.tests for step in test.body} | {suite.setup.name}
    assert used and used <= known


def console(block: Block) -> None:
    """Of a console the lines that are commands; below them stands what they print."""
    found = list(commands(block.text))
    assert found, "no command that is known: what is only printed has a comment above it"
    for words in found:
        command(words)


def commands(text: str) -> Iterator[list[str]]:
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        first = line.split(maxsplit=1)[0] if line.strip() else ""
        if first in ("mcusim", "python", *OTHERS) or first.startswith(("script/", ".ci/")):
            yield shlex.split(line, comments=True)


def command(words: list[str]) -> None:
    match words:
        case ["mcusim", *arguments]:
            parsed(cli.cli, arguments)
        case ["python", "-m", module, *_]:
            assert importlib.util.find_spec(module), module
        case [program, *_] if "/" in program:
            assert (ROOT / program).is_file(), program
        case ["docker", "run", *_]:
            command(words[words.index("mcusim") :])


def parsed(group: click.Command, arguments: list[str]) -> None:
    """As click does it, down to the last command: options that there are, with values that they take."""
    context = group.make_context("mcusim", list(arguments), resilient_parsing=False)
    if isinstance(group, click.Group):
        _, inner, rest = group.resolve_command(context, [*context._protected_args, *context.args])
        assert inner
        parsed(inner, rest)


TESTS: Mapping[str, Callable[[Block], None]] = {
    CONSOLE: console,
    "json": lambda block: json.loads(block.text),
    "python": python,
    "robotframework": robotframework,
    "toml": toml,
    "yaml": yaml,
}
SITE = ("{include}", "{toctree}", "{eval-rst}")  # script/docs refuses what is wrong in them


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_every_block_is_right(block: Block) -> None:
    if not block.excused and not block.language.startswith(SITE):
        assert block.language in TESTS, "of a language that nothing is known of: <!-- not tested: why -->"
        TESTS[block.language](block)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("toml", "[target]\nbord = ['a']\n"),
        ("toml", "[expect]\naccuracy_min = 93\n"),
        ("yaml", "on: push\njobs:\n  a:\n    runs-on: x\n    step: []\n"),
        (
            "yaml",
            "on: push\njobs: {a: {runs-on: x, steps: [{uses: OWNER/mcusim@main, with: {bord: a}}]}}\n",
        ),
        ("python", "def f(:\n"),
        ("console", "mcusim runn experiment.toml\n"),
        ("console", "mcusim run experiment.toml --bord x\n"),
        ("console", "mcusim run experiment.toml --jobs many\n"),
        ("console", "mcusim engines instal renode\n"),
        ("console", "mcsim run experiment.toml\n"),
        ("console", "script/demos\n"),
        ("console", "python -m tools.kernel_bnch\n"),
        ("json", "{1}"),
    ],
)
def test_what_is_wrong_is_found(language: str, text: str) -> None:
    with pytest.raises((AssertionError, click.ClickException, SyntaxError, ValueError)):
        TESTS[language](Block(ROOT / "README.md", 1, language, text, False))


def test_every_page_is_in_the_index() -> None:
    trees = re.findall(r"```{toctree}\n(.*?)```", (ROOT / "docs" / "index.md").read_text(encoding="utf-8"), re.DOTALL)
    named = {line for tree in trees for line in tree.splitlines() if line and not line.startswith((":", "generated/"))}
    assert named == {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}


def test_excuses_are_rare() -> None:
    assert len([block for block in BLOCKS if block.excused]) <= len(BLOCKS) / 4


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_options_in_sentences_exist(path: Path) -> None:
    """`mcusim run --html F`: the command is there, and so are its options."""
    for name, rest in re.findall(r"`mcusim ([a-z]+)([^\n`|]*)`", path.read_text(encoding="utf-8")):
        assert name in cli.cli.commands, name
        assert set(re.findall(r"(?<!\S)--[a-z0-9-]+", rest)) <= options_of(cli.cli.commands[name]), (name, rest)


def options_of(command: click.Command) -> set[str]:
    """Its own, and those of what it has below it."""
    inner = command.commands.values() if isinstance(command, click.Group) else ()
    return {option for parameter in command.params for option in parameter.opts}.union(*map(options_of, inner))
