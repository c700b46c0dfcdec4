"""Golden files, and tests that need tools which may be missing."""

from __future__ import annotations

import gc
import importlib.util
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from mcusim.system.errors import McusimError
from tests.required import skip_or_fail

GOLDEN = Path(__file__).parent / "golden"
EXAMPLES = Path(__file__).parents[1] / "examples"
WITH_KERAS = "with Keras"

# A busy machine may take any time for an example; the same examples every time.
settings.register_profile("busy machine", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files instead of comparing with them")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """What is packed tells the time, and the processes of a session must call a test alike."""
    return argname if isinstance(val, (bytes, bytearray)) else None


@pytest.fixture(autouse=True)
def _boards_of_their_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of other processes have boards of the same names, whose locks lie in this folder."""
    for name in ("XDG_RUNTIME_DIR", "MCUSIM_LOCKS"):
        monkeypatch.setenv(name, str(tmp_path_factory.getbasetemp()))


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)`: text equals `tests/golden/<module>/<name>`, or becomes it with --update-golden."""
    folder = GOLDEN / request.path.stem.removeprefix("test_")
    update = request.config.getoption("--update-golden")

    def compare(name: str, text: str) -> None:
        path = folder / name
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        assert path.is_file(), f"no golden file {path}: run with --update-golden, and review what it writes"
        assert text == path.read_text(encoding="utf-8"), f"differs from {path}: --update-golden accepts it"

    return compare


@pytest.fixture
def drawn() -> None:
    """Pictures can be drawn."""
    pytest.importorskip("vl_convert", reason="vl-convert-python is not installed: pip install 'mcusim[html]'")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected and imported stays to the end: the garbage collector does not walk over all of it again and
    again, while it is made and behind every tenth test.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On several cores: files with many tests first, as xdist deals them out by itself; but recipes, few and long, and
    those of Keras, which are for one core, before all others, or it would be busy with them when the rest is done. On
    one core the order asked for stays.
    """
    if not hasattr(config, "workerinput"):
        return
    tests = Counter(item.path for item in items)
    first = {"recipes": 0, WITH_KERAS: 1}
    items.sort(key=lambda item: (first.get(_dealt_by(item.nodeid), 2), -tests[item.path], item.path))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """On several cores all files that import Keras go to one of them: each takes 4 s and much memory to import it."""
    from xdist.scheduler import LoadFileScheduling

    class ByFramework(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return WITH_KERAS if _dealt_by(nodeid) == WITH_KERAS else super()._split_scope(nodeid)

    return ByFramework(config, log) if config.getvalue("dist") == "loadfile" else None


def _dealt_by(nodeid: str) -> str:
    folder, _, file = nodeid.partition("::")[0].rpartition("/")
    return WITH_KERAS if folder == "tests/training" or file.startswith("test_keras") else folder.rpartition("/")[2]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what cannot run here and say why; fail instead where MCUSIM_REQUIRE says that it must."""
    for marker, missing in (("arm", missing_arm), ("train", missing_train), ("renode", missing_renode)):
        reason = missing() if item.get_closest_marker(marker) else None
        if reason:
            skip_or_fail(marker, reason)


@pytest.fixture(scope="session")
def warm() -> Iterator[None]:
    """All tests share their Renodes: one takes seconds to start."""
    from mcusim.engines.renode.workers import shared

    with shared():
        yield


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the Renodes that other tests share."""
    from mcusim.engines.renode import workers

    monkeypatch.setattr(workers, "_shared", workers._Shared())


@pytest.fixture(scope="session")
def asked_here() -> Iterator[None]:
    """Proofs ask the framework in this process, which has imported it to train: a process of its own takes seconds."""
    from mcusim.line import float_proof
    from mcusim.models.reference import read_answers
    from mcusim.models.reference_process import answer

    commands = SimpleNamespace(start=lambda words, folder, environment: answer(folder), stop=lambda processes: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(float_proof, "command", commands)
        patch.setattr(float_proof, "_awaited", lambda process, folder: read_answers(folder))
        yield


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the shipped example leaves of a run on the host engine, once for all processes of a session: copy it."""
    from mcusim.commands import cli
    from mcusim.system.cache import locked

    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "digits"
    with locked(folder.with_suffix(".lock")):
        if not folder.exists():
            assert cli.execute(["run", str(EXAMPLES / "digits"), "--engine", "host", "--out", str(folder)]) == 0
    return folder


@cache
def missing_arm() -> str | None:
    from mcusim.engines.qemu import engine as qemu

    return _missing_compiler() or _told(qemu.missing())


@cache
def missing_renode() -> str | None:
    from mcusim.engines.renode import engine as renode

    return _missing_compiler() or _told(renode.missing())


@cache
def _missing_compiler() -> str | None:
    from mcusim.cores import cortex_m4f
    from mcusim.system.errors import MissingToolError

    try:
        cortex_m4f.toolchain()
    except MissingToolError as error:
        return _told(error)
    return None


def _told(error: McusimError | None) -> str | None:
    return f"{error.what}: {error.hint}" if error else None


@cache
def missing_train() -> str | None:
    for package in ("tensorflow", "keras"):
        if importlib.util.find_spec(package) is None:
            return f"{package} is not installed: pip install 'mcusim[train]'"
    return None
