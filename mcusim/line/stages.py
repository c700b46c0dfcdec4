"""The stages that leave this process: files, compilers, engines. In tests, others may stand in."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from mcusim.boards.board import Board
from mcusim.datasets import Dataset, load_dataset
from mcusim.engines import ENGINES
from mcusim.engines.engine import Engine, Facts
from mcusim.line.build import Firmware
from mcusim.line.float_proof import Proving, start_proof
from mcusim.line.front import read_model
from mcusim.line.sources import Sources
from mcusim.models.source import Source
from mcusim.system.arrays import Array
from mcusim.system.progress import Progress
from mcusim.workloads.generated import make_firmware, target_for


@dataclass(frozen=True)
class Stages:
    """`check_tools` raises MissingToolError when `make_firmware` could not do its work for want of a compiler."""

    load_dataset: Callable[[str, Path, Progress | None], Dataset] = load_dataset
    read_model: Callable[..., Source] = read_model
    start_proof: Callable[[Path, Source, Array, ExitStack], Proving] = start_proof
    check_tools: Callable[[Facts, Board | None], object] = target_for
    make_firmware: Callable[[Sources, Facts, Board | None, Path], Firmware] = make_firmware
    engines: Mapping[str, Engine] = field(default_factory=lambda: ENGINES)


STAGES = Stages()
