"""The house rules: imports point one way, modules and functions stay small, each stage says what it does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from mcusim.engines import ENGINES
from mcusim.system import errors
from tests.trees import calls_in, imports_in, nodes_of, tree_of
from tests.trees import forget as forget  # noqa: PLC0414  (a fixture)

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
    "explore": {"commands"},
    "reproduce": {"commands"},
    "pipeline": {"commands", "explore", "reproduce", "testing", "line.scheduled"},
    "line.scheduled": {"commands"},
    "line.draft": {"commands"},
    "line.export": {"commands"},
    "line.library": {"commands"},
    "line.convert": {"commands"},
    "line.agreement": {"pipeline", "line.merge"},
    "line.merge": {"commands", "line.scheduled"},
    "line.case": {
        *("commands", "explore", "pipeline", "reproduce"),
        *("line.agreement", "line.draft", "line.export", "line.scheduled"),
    },
    "line.front": {"line.aware", "line.case", "line.convert", "line.from_torch", "line.library", "line.stages"},
    "line.hand_over": {"commands", "line.library"},
    "line.preflight": {
        *("commands", "explore", "pipeline", "reproduce"),
        *("line.case", "line.hand_over", "line.merge", "line.scheduled"),
    },
}
MOST_AT_THE_ROOT = 28
FORBIDDEN_NAMES = ("utils", "util", "helpers", "helper", "common", "manager", "misc")


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path) for path in MODULES}


@cache
def imports_of(path: Path, *, types: bool = True) -> tuple[tuple[str, str], ...]:
    """(module, name) of every import of a mcusim module, those inside functions too."""
    return tuple(_imports(path, types))


def _imports(path: Path, types: bool) -> Iterator[tuple[str, str]]:
    for node in imports_in(path, types=types):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name in NAMES)
        elif node.module and node.level == 0:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in NAMES:
                    yield inner, ""
                elif node.module in NAMES:
                    yield node.module, alias.name


def short(module: str) -> str:
    """`mcusim.engines.qemu` -> `engines`: the room that a module is in. Each stage of the line is one of its own."""
    parts = module.split(".")[1:]
    return ".".join(parts[:2] if parts[:1] == ["line"] else parts[:1])


def test_modules_are_small() -> None:
    lines = {name_of(path): path.read_text(encoding="utf-8").count("\n") for path in MODULES}
    assert not {name: count for name, count in lines.items() if count > LONGEST_MODULE}, "they do two things"


def test_functions_are_small() -> None:
    found = []
    for path in MODULES:
        for node in nodes_of(path):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = (node.end_lineno or 0) - node.lineno + 1
                found += [f"{name_of(path)}.{node.name} has {length} lines"] if length > LONGEST_FUNCTION else []
    assert not found


def test_every_module_says_what_it_is() -> None:
    assert not [name_of(path) for path in MODULES if not ast.get_docstring(tree_of(path))], "without a docstring"


def test_the_first_line_of_a_stage_is_its_arrow() -> None:
    first = {stage: (ast.get_docstring(tree_of(PACKAGE / f"{stage}.py")) or "").split("\n")[0] for stage in STAGES}
    assert not {stage: line for stage, line in first.items() if "->" not in line}


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


def imports(*, types: bool) -> Iterator[tuple[str, str, str]]:
    """(module, module that it imports, name) of all."""
    for path in MODULES:
        yield from ((name_of(path), module, name) for module, name in imports_of(path, types=types))


def test_nothing_imports_what_is_above_it() -> None:
    found = []
    for name, module, _ in imports(types=False):
        room, above = short(name), short(module)
        found += [] if above == room or room in USERS.get(above, {room}) else [f"{name} imports {module}"]
    assert not found


GROUND = {  # room: all that it may import
    "system": set(),
    "numbers": {"system"},
    "graph": {"system", "numbers"},
    "program": {"system", "numbers", "graph"},
    "layers": {"system", "numbers", "graph"},
    "approximate": {"system", "numbers", "graph", "layers"},
    "kernels": {"system", "numbers", "graph", "program", "layers", "timing"},  # whose core prices what they write
    "tasks": {"system", "datasets"},
    "datasets": {"system"},
}


def test_types_and_families_lie_on_the_ground() -> None:
    assert set(GROUND) <= {short(name) for name in NAMES}
    found = []
    for name, module, _ in imports(types=True):
        room = short(name)
        found += [] if short(module) in GROUND.get(room, {short(module)}) | {room} else [f"{name} imports {module}"]
    assert not found


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


def test_rooms_do_not_know_each_other() -> None:
    assert set(FORBIDDEN) <= {short(name) for name in NAMES}
    seen = list(imports(types=False))
    assert not [
        f"{name} imports {module}" for name, module, _ in seen if short(module) in FORBIDDEN.get(short(name), ())
    ]


def test_timing_knows_of_an_engine_only_what_it_counted() -> None:
    outside = ("mcusim.engines", "mcusim.line", "mcusim.pipeline")
    seen = {module for name, module, _ in imports(types=True) if short(name) == "timing"}
    assert {module for module in seen if module.startswith(outside)} == {"mcusim.engines.counts"}


def test_nobody_compares_the_name_of_an_engine() -> None:
    """What an engine can do is in its FACTS."""
    found = []
    for path in MODULES:
        for node in nodes_of(path):
            if isinstance(node, ast.Compare):
                names = {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)} & set(ENGINES)
                found += [f"{name_of(path)}, line {node.lineno}: {names}"] if names else []
    assert not found


STARTS_PROGRAMS = r"subprocess\.(run|Popen|call|check_\w+)|os\.(system|popen|exec\w*|spawn\w*)"
PRINTS = r"print|input|exit|click\.echo|sys\.exit|os\._exit"


def calls_of(path: Path) -> Iterator[tuple[str, int]]:
    """`module.function` or `function`, and the line of each call."""
    for node in calls_in(path):
        if isinstance(node.func, ast.Name):
            yield node.func.id, node.lineno
        elif isinstance(node.func, ast.Attribute):
            yield f"{getattr(node.func.value, 'id', '')}.{node.func.attr}", node.lineno


def callers(pattern: str, paths: list[Path]) -> list[str]:
    calls = [(path, called, line) for path in paths for called, line in calls_of(path)]
    return [f"{name_of(path)}, line {line}: {called}" for path, called, line in calls if re.fullmatch(pattern, called)]


def test_only_one_module_starts_programs() -> None:
    assert callers(STARTS_PROGRAMS, [PACKAGE / "system" / "command.py"])
    others = [path for path in MODULES if path.name != "command.py"]
    assert not callers(STARTS_PROGRAMS, others), "use command.run or command.start"


def _is_program(path: Path) -> bool:
    if path.stem == "interruption":  # ends the process before there is anybody to catch an error
        return True
    return path.parent.name == "commands" or '__name__ == "__main__"' in path.read_text()


def test_libraries_raise_and_do_not_print() -> None:
    libraries = [path for path in MODULES if not _is_program(path)]
    assert not callers(PRINTS, libraries), "raise an error of errors.py"


HEAVY = {"keras", "tensorflow", "sklearn", "h5py", "pooch"}


def test_heavy_packages_are_imported_late() -> None:
    """`mcusim --help` must not wait for TensorFlow."""
    found = []
    for path in MODULES:
        for node in tree_of(path).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            heavy = HEAVY & {name.split(".")[0] for name in names}
            found += [f"{name_of(path)}, line {node.lineno}: {heavy}"] if heavy else []
    assert not found


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


def test_every_error_says_one_thing_to_do() -> None:
    assert not [
        f"{name_of(path)}, line {node.lineno}" for path in MODULES for node in calls_in(path) if not _has_hint(node)
    ]


def _has_hint(call: ast.Call) -> bool:
    """An `Unusable` or the error of a `Place` has its hint as second argument."""
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if called in ERRORS:
        return any(keyword.arg == "hint" for keyword in call.keywords)
    if called == "Unusable" or (called == "error" and isinstance(call.func, ast.Attribute)):
        return len(call.args) > 1 or bool(call.keywords)
    return True
