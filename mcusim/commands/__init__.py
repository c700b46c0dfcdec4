"""The commands of the command line, one family a module. Only these and `cli.py` print."""

from __future__ import annotations

from mcusim.commands.doctor import doctor
from mcusim.commands.engines import engines
from mcusim.commands.export import export
from mcusim.commands.generate import generate
from mcusim.commands.inventory import boards, datasets, kernels, layers
from mcusim.commands.profile import profile
from mcusim.commands.report import report
from mcusim.commands.run import build, evaluate, run, train
from mcusim.commands.session import Session

COMMANDS = (
    run,
    train,
    generate,
    build,
    evaluate,
    profile,
    export,
    report,
    boards,
    engines,
    datasets,
    layers,
    kernels,
    doctor,
)

__all__ = ["COMMANDS", "Session"]
