"""The house rules: imports point one way, modules and functions stay small, each stage says what it does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcusim.engines import ENGINES
from mcusim.system import errors

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mcusim"
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))
LONGEST_MODULE, LONGEST_FUNCTION = 400, 50

# The line, in order. Each may import what comes before it for its types only.
STAGES = (
    *("experiment/read", "models/keras/reader", "line/optimize", "line/quantize", "line/lower", "line/emit"),
    *("workloads/generated", "line/build", "line/score", "line/measure", "line/budgets", "pipeline"),
    *("line/trained", "line/library", "line/export", "line/draft", "line/convert"),
)
# What puts stages together, and who may use it.
USERS = {
    "__main__": set(),
    "testing": set(),
    "commands": {"__main__"},
    "pipeline": {"commands", "testing"},
    "line.draft": {"commands"},
    "line.export": {"commands"},
    "line.library": {"commands"},
    "line.convert": {"commands"},
    "line.agreement": {"pipeline"},
    "line.case": {"commands", "pipeline", "line.agreement", "line.draft", "line.export"},
    "line.front": {"line.case", "line.convert", "line.from_torch", "line.library", "line.stages"},
    "line.preflight": {"commands", "pipeline", "line.case"},
}
MOST_AT_THE_ROOT = 24
FORBIDDEN_NAMES = ("utils", "util", "helpers", "helper", "common", "manager", "misc")


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), path.name)


NAMES = {name_of(path) for path in MODULES}


def imports_of(path: Path, *, types: bool = True) -> Iterator[tuple[str, str]]:
    """(module, name) of every import of a mcusim module, those inside functions too."""
    for node in _nodes(tree_of(path), types):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name in NAMES)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in NAMES:
                    yield inner, ""
                elif node.module in NAMES:
                    yield node.module, alias.name


def _nodes(tree: ast.AST, types: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not types and isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        yield node
        yield from _nodes(node, types)


def short(module: str) -> str:
    """`mcusim.engines.qemu` -> `engines`: the room that a module is in. Each stage of the line is one of its own."""
    parts = module.split(".")[1:]
    return ".".join(parts[:2] if parts[:1] == ["line"] else parts[:1])


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_and_functions_are_small(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= LONGEST_MODULE, f"{lines} lines: it does two things"
    for node in ast.walk(tree_of(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree_of(path)), "a module without a docstring"


@pytest.mark.parametrize("stage", STAGES)
def test_the_first_line_of_a_stage_is_its_arrow(stage: str) -> None:
    first = (ast.get_docstring(tree_of(PACKAGE / f"{stage}.py")) or "").split("\n")[0]
    assert "->" in first, first


def test_imports_have_no_circles() -> None:
    """Of all imports: at the top, for types only, and inside of functions."""
    graph = {name_of(path): {module for module, _ in imports_of(path)} for path in MODULES}
    done: set[str] = set()
    for module in graph:
        _demand_no_circle(module, graph, [], done)


def _demand_no_circle(module: str, graph: dict[str, set[str]], path: list[str], done: set[str]) -> None:
    assert module not in path, " -> ".join([*path, module])
    if module in done:
        return
    for other in sorted(graph.get(module, set()) - {module}):
        _demand_no_circle(other, graph, [*path, module], done)
    done.add(module)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_imports_what_is_above_it(path: Path) -> None:
    room = short(name_of(path))
    for module, _ in imports_of(path, types=False):
        above = short(module)
        assert above == room or room in USERS.get(above, {room}), f"{room} imports {module}"


GROUND = {  # room: all that it may import
    "system": set(),
    "numbers": {"system"},
    "graph": {"system", "numbers"},
    "program": {"system", "numbers", "graph"},
    "layers": {"system", "numbers", "graph"},
    "kernels": {"system", "numbers", "graph", "program", "layers", "timing"},  # whose core prices what they write
    "tasks": {"system", "datasets"},
    "datasets": {"system"},
}


@pytest.mark.parametrize("path", [path for path in MODULES if short(name_of(path)) in GROUND], ids=name_of)
def test_types_and_families_lie_on_the_ground(path: Path) -> None:
    room = short(name_of(path))
    for module, _ in imports_of(path):
        assert short(module) in GROUND[room] | {room}, f"{room} imports {module}"


FORBIDDEN = {  # room: rooms that it may never import
    "engines": {
        "reports",
        "line.measure",
        "line.quantize",
        "graph",
        "line.lower",
        "line.emit",
        "models",
        "training",
        "datasets",
        "workloads",
    },
    "reports": {
        "engines",
        "graph",
        "line.lower",
        "line.quantize",
        "models",
        "training",
        "datasets",
        "boards",
        "experiment",
    },
    "boards": {"graph", "line.lower", "line.build", "engines", "reports", "line.emit"},
    "line.build": {"graph", "line.lower", "line.quantize", "engines", "reports", "layers"},
    "models": {"line.quantize", "line.lower", "engines", "reports", "boards", "kernels"},
    "cores": {"engines", "reports", "graph", "models", "line.build"},
}


@pytest.mark.parametrize("path", [path for path in MODULES if short(name_of(path)) in FORBIDDEN], ids=name_of)
def test_rooms_do_not_know_each_other(path: Path) -> None:
    forbidden = FORBIDDEN[short(name_of(path))]
    for module, _ in imports_of(path, types=False):
        assert short(module) not in forbidden, f"{name_of(path)} imports {module}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "timing").glob("*.py")), ids=name_of)
def test_timing_knows_of_an_engine_only_what_it_counted(path: Path) -> None:
    for module, _ in imports_of(path):
        if module.startswith(("mcusim.engines", "mcusim.line", "mcusim.pipeline")):
            assert module == "mcusim.engines.counts"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nobody_compares_the_name_of_an_engine(path: Path) -> None:
    """What an engine can do is in its FACTS."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Compare):
            names = {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)} & set(ENGINES)
            assert not names, f"line {node.lineno}: {names}"


STARTS_PROGRAMS = r"subprocess\.(run|Popen|call|check_\w+)|os\.(system|popen|exec\w*|spawn\w*)"
PRINTS = r"print|input|exit|click\.echo|sys\.exit|os\._exit"


def calls_of(path: Path) -> Iterator[tuple[str, int]]:
    """`module.function` or `function`, and the line of each call."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id, node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield f"{getattr(node.func.value, 'id', '')}.{node.func.attr}", node.lineno


@pytest.mark.parametrize("path", [path for path in MODULES if path.name != "command.py"], ids=name_of)
def test_only_one_module_starts_programs(path: Path) -> None:
    for called, line in calls_of(path):
        assert not re.fullmatch(STARTS_PROGRAMS, called), f"{called} in line {line}: use command.run or command.start"


def _is_program(path: Path) -> bool:
    if path.stem == "interruption":  # ends the process before there is anybody to catch an error
        return True
    return path.parent.name == "commands" or '__name__ == "__main__"' in path.read_text()


@pytest.mark.parametrize("path", [path for path in MODULES if not _is_program(path)], ids=name_of)
def test_libraries_raise_and_do_not_print(path: Path) -> None:
    for called, line in calls_of(path):
        assert not re.fullmatch(PRINTS, called), f"{called} in line {line}: raise an error of errors.py"


HEAVY = {"keras", "tensorflow", "sklearn", "h5py", "pooch"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_heavy_packages_are_imported_late(path: Path) -> None:
    """`mcusim --help` must not wait for TensorFlow."""
    for node in tree_of(path).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not HEAVY & {name.split(".")[0] for name in names}, f"line {node.lineno}"


def test_the_root_shows_the_line_and_the_families() -> None:
    shown = [path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    assert len(shown) <= MOST_AT_THE_ROOT, sorted(shown)


def test_names_say_what_things_are() -> None:
    assert not [path for path in MODULES if path.stem.removeprefix("_") in FORBIDDEN_NAMES]


def test_no_python_module_is_called_like_a_root_folder() -> None:
    """An editable install puts the root on sys.path: `import codegen` would find an empty namespace."""
    made = {"build", "dist"}  # .gitignore
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - made
    assert not folders & {path.stem for path in PACKAGE.glob("*.py")}


ERRORS = {
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.McusimError)
}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_error_says_one_thing_to_do(path: Path) -> None:
    """An `Unusable` or the error of a `Place` has its hint as second argument."""
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ERRORS:
            assert any(keyword.arg == "hint" for keyword in node.keywords), f"line {node.lineno}: no hint"
        elif called == "Unusable" or (called == "error" and isinstance(node.func, ast.Attribute)):
            assert len(node.args) > 1 or node.keywords, f"line {node.lineno}: no hint"
