"""Experiment -> Report, again and again in one process of tests: engines stay open between runs.

    with Session() as session:
        report = session.run("experiment.toml", engine="renode", data_type="int8")

A Renode takes seconds to start: the first run starts it, and the end of the session ends it.
"""

from contextlib import ExitStack
from pathlib import Path

from mcusim import pipeline
from mcusim.engines import ENGINES
from mcusim.experiment.read import open_experiment
from mcusim.experiment.tables import parse_samples
from mcusim.line.watcher import Silent, Watcher
from mcusim.reports.report import Report
from mcusim.system.names import file_name
from mcusim.system.validation import Place


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
        model: str | None = None,
        data_type: str | None = None,
        board: str | None = None,
        engine: str | None = None,
        samples: str | int | None = None,
        seed: int | None = None,
        jobs: int | None = None,
        out: str | Path | None = None,
    ) -> Report:
        """Every case of an experiment: a TOML file, or a folder with an ``experiment.toml``.

        The other arguments change it as options of ``mcusim run`` do: ``samples="all"``, ``engine="qemu,renode"``.
        Everything is written to `out` [build/<experiment>]. A case that fails is a run with an error.

        Raises McusimError for what concerns all of them, and OSError when `out` cannot be written.
        """
        with Place("samples").located():
            number = None if samples is None else parse_samples(str(samples))
        chosen = open_experiment(
            Path(experiment),
            models=_one(model),
            data_types=_one(data_type),
            boards=_one(board),
            engine=engine,
            samples=number,
            seed=seed,
            jobs=jobs,
        )
        self._keep_open(chosen.target.engines)
        return pipeline.run(chosen, Path(out) if out else Path("build") / file_name(chosen.name), self._watcher)

    def _keep_open(self, engines: tuple[str, ...]) -> None:
        for name in dict.fromkeys(engines):
            if name not in self._opened and ENGINES[name].missing() is None:  # else the run tells
                self.enter_context(ENGINES[name].open(1))
                self._opened.add(name)


def _one(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)
