"""The commands of the command line, one family a module. Only these and `cli.py` print."""

from __future__ import annotations

from mcusim.commands.doctor import doctor
from mcusim.commands.generate import generate
from mcusim.commands.inventory import boards, datasets, engines, layers
from mcusim.commands.profile import profile
from mcusim.commands.report import report
from mcusim.commands.run import build, evaluate, run, train
from mcusim.commands.session import Session

COMMANDS = (run, train, generate, build, evaluate, profile, report, boards, engines, datasets, layers, doctor)

__all__ = ["COMMANDS", "Session"]
