"""Experiment -> Report, again and again in one process of tests: engines stay open between runs.

    with Session() as session:
        report = session.run("experiment.toml", engine="renode", data_type="int8")

A Renode takes seconds to start: the first run starts it, and the end of the session ends it.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mcusim import pipeline
from mcusim.engines import ENGINES
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.read import open_experiment
from mcusim.experiment.tables import parse_samples
from mcusim.line.watcher import Silent, Watcher
from mcusim.reports.report import Report
from mcusim.system.names import file_name
from mcusim.system.validation import Place

Chosen = str | Sequence[str] | None


class Session(ExitStack):
    """A context, that ends with the engines that its runs opened."""

    def __init__(self, watcher: Watcher | None = None) -> None:
        """`watcher` hears of every run how far it is."""
        super().__init__()
        self._watcher = watcher or Silent()
        self._opened: set[str] = set()

    def run(
        self,
        experiment: str | Path,
        *,
        out: str | Path | None = None,
        cache: str | Path | None = None,
        **choices: Any,
    ) -> Report:
        """Every case of an experiment, as `opened` takes it.

        Everything is written to `out` [build/<experiment>]. A case that fails is a run with an error. `cache`: a folder
        of what engines saw in earlier runs, as `mcusim run --cache` has it.

        Raises McusimError for what concerns all of them, and OSError when `out` cannot be written.
        """
        chosen = opened(experiment, **choices)
        folder = Path(out) if out else Path("build") / file_name(chosen.name)
        return self.run_opened(chosen, folder, Path(cache) if cache else None)

    def run_opened(self, chosen: Experiment, out: Path, cache: Path | None = None) -> Report:
        """Likewise, of one that was read."""
        self._keep_open(chosen.target.engines)
        return pipeline.run(chosen, out, self._watcher, cache=cache)

    def _keep_open(self, engines: tuple[str, ...]) -> None:
        for name in dict.fromkeys(engines):
            if name not in self._opened and ENGINES[name].missing() is None:  # else the run tells
                self.enter_context(ENGINES[name].open(1))
                self._opened.add(name)


def opened(
    experiment: str | Path,
    *,
    model: Chosen = None,
    data_type: Chosen = None,
    board: Chosen = None,
    engine: str | None = None,
    samples: str | int | None = None,
    seed: int | None = None,
    jobs: int | None = None,
    hardware: str | Path | None = None,
) -> Experiment:
    """A TOML file, or a folder with an ``experiment.toml``.

    The other arguments change it as options of ``mcusim run`` do: ``samples="all"``, ``engine="qemu,renode"``.
    Raises McusimError.
    """
    with Place("samples").located():
        number = None if samples is None else parse_samples(str(samples))
    return open_experiment(
        Path(experiment),
        models=_several(model),
        data_types=_several(data_type),
        boards=_several(board),
        engine=engine,
        samples=number,
        seed=seed,
        jobs=jobs,
        hardware=None if hardware is None else Path(hardware),
    )


def _several(chosen: Chosen) -> tuple[str, ...]:
    return () if chosen is None else (chosen,) if isinstance(chosen, str) else tuple(chosen)
