"""One run to come, as a value."""

from dataclasses import dataclass, replace
from pathlib import Path

from mcusim.experiment.approximation import Approximation
from mcusim.experiment.quantization import Quantization
from mcusim.experiment.tables import Model


@dataclass(frozen=True)
class Case:
    """One run to come: a model (its `repeat`-th training), quantized, on a board, in an engine.

    With its experiment it can be sent to another process: all that a run depends on is in both, but for the files that
    they name. `id` is unique in the experiment and a file name. `board` is a name or a file, None for an engine that
    needs none. `approximation`: None where nothing is skipped.
    """

    id: str
    model: Model
    repeat: int
    quantization: Quantization
    board: str | None
    engine: str
    approximation: Approximation | None = None

    @property
    def networks(self) -> "list[Case]":
        """The same of each model that its own is made of."""
        return [replace(self, model=one, repeat=self.repeat * one.trains) for one in self.model.networks]

    @property
    def label(self) -> str:
        return f"{self.quantized_label}, {self.board_name} in {self.engine}"

    @property
    def quantized_label(self) -> str:
        """What is the same on every board."""
        repeat = f" #{self.repeat}" if self.repeat else ""
        return ", ".join(filter(None, (f"{self.model.name}{repeat}", self.quantization.label, self.variant)))

    @property
    def variant(self) -> str:
        """Name of its approximation, "" where that has none."""
        return (self.approximation and self.approximation.name) or ""

    @property
    def library_name(self) -> str:
        """Likewise, for a folder."""
        repeat = (f"repeat{self.repeat}",) if self.repeat else ()
        parts = (self.model.name, *repeat, self.quantization.label, self.variant)
        return "-".join(part.replace(" ", "_") for part in parts if part)

    @property
    def work(self) -> tuple[object, ...]:
        """All but the engine: every engine should come to the same."""
        return *self.numbers, self.board

    @property
    def numbers(self) -> tuple[object, ...]:
        """What the numbers of its model depend on."""
        return self.model.name, self.repeat, self.quantization, self.approximation

    @property
    def board_name(self) -> str:
        """A board is named by its file; without one, a run is named by its engine."""
        return self.engine if self.board is None else Path(self.board).stem
