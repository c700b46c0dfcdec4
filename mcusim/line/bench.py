"""What a process keeps from one case to the next, and what it does while an engine runs."""

import threading
from collections.abc import Callable
from contextlib import ExitStack

from mcusim.engines.engine import Ready
from mcusim.line.stages import STAGES, Stages
from mcusim.line.watcher import Silent, Watcher
from mcusim.system.ahead import Ahead
from mcusim.system.once import Once


class Bench(ExitStack):
    """A context, that ends with what was opened in it."""

    def __init__(self, watcher: Watcher, stages: Stages | None = None) -> None:
        super().__init__()
        self.stages, self.once = stages or STAGES, Once()
        self._told, self._owner = watcher, threading.get_ident()
        self._open: dict[str, Ready] = {}
        self._ahead = Ahead()
        self.callback(self._ahead.end)

    @property
    def watcher(self) -> Watcher:
        """Of what is made ahead nobody hears: what they are shown is what they wait for."""
        return self._told if threading.get_ident() == self._owner else Silent()

    def engine(self, name: str, jobs: int) -> Ready:
        """The engine of that name, opened when it is first asked for."""
        if name not in self._open:
            self._open[name] = self.enter_context(self.stages.engines[name].open(jobs))
        return self._open[name]

    def meanwhile(self, work: Callable[[], object]) -> None:
        """Begins `work`, that somebody will ask `once` for, while an engine runs: few of them keep all cores busy."""
        self._ahead.begin(work)
