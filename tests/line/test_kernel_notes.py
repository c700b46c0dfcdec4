"""What is said of kernels that were named."""

from __future__ import annotations

import re

import numpy as np

from mcusim.experiment.kernel_choice import KernelChoice
from mcusim.experiment.tables import Target
from mcusim.kernels.choice import ANYWHERE, Destination
from mcusim.line.kernel_notes import kernel_notes
from mcusim.line.lower import options_of
from mcusim.line.select import Choice, select
from tests.graphs import Builder

M4 = Destination("cortex-m4")


def notes(target: Target, destination: Destination = M4, scale: float = 1.0) -> tuple[str, ...]:
    builder = Builder((16, 4), seed=2)
    builder.conv(8, 3)
    builder.conv(8, 3)
    graph = builder.graph()
    options = options_of(graph, destination, target.kernels)
    choice = Choice(graph, select(graph, options, destination), options, destination)
    return kernel_notes(graph, choice, target, scale * np.ones((3, 16, 4), np.float32))


def test_nothing_is_said_of_what_nobody_named() -> None:
    assert notes(Target()) == notes(Target(kernels=KernelChoice(default=("plain",)))) == ()


def test_other_bits_are_said_with_their_largest_error() -> None:
    target = Target(kernels=KernelChoice(default=("points", "plain")))
    (told,) = notes(target)
    assert "'points' runs as [target] kernels names it, in 'conv1d_1', 'conv1d_2': its bits" in told
    (larger,) = notes(target, scale=1000.0)
    error, of_larger = (float(re.findall(r"at most (\S+) from", text)[0]) for text in (told, larger))
    assert 0 < error < of_larger / 50


def test_a_name_that_fits_nowhere_is_told() -> None:
    (told,) = notes(Target(kernels=KernelChoice(default=("winograd", "plain"))))
    assert told == "kernel 'winograd' of [target] kernels fits no layer here: others run"


def test_limits_are_for_boards() -> None:
    (told,) = notes(Target(flash_max=1), ANYWHERE)
    assert told == "flash_max is for boards: this engine has none, and runs portable C"
    (told,) = notes(Target(flash_max=1, ram_max=1), ANYWHERE)
    assert told.startswith("flash_max and ram_max are for boards")
