"""What a process keeps from one case to the next."""

from contextlib import ExitStack

from mcusim.engines.engine import Ready
from mcusim.line.kept import Kept
from mcusim.line.stages import STAGES, Stages
from mcusim.line.watcher import Watcher
from mcusim.system.once import Once


class Bench(ExitStack):
    """A context, that ends with what was opened in it."""

    def __init__(
        self, watcher: Watcher, stages: Stages | None = None, once: Once | None = None, kept: Kept | None = None
    ) -> None:
        """`kept`: what engines saw in earlier runs is not run again."""
        super().__init__()
        self._kept = kept
        self.watcher, self.stages, self.once = watcher, stages or STAGES, once or Once()
        self._open: dict[str, Ready] = {}

    def engine(self, name: str, jobs: int) -> Ready:
        """The engine of that name, opened when it is first asked for."""
        if name not in self._open:
            engine = self.stages.engines[name]
            ready = self.enter_context(engine.open(jobs))
            self._open[name] = self._kept.of(engine, ready) if self._kept and not engine.FACTS.silicon else ready
        return self._open[name]
