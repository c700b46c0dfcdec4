"""A case is a value: what another process needs to run it, and nothing else."""

from __future__ import annotations

import pickle
from dataclasses import replace

from mcusim.experiment.case import Case
from mcusim.experiment.quantization import Quantization
from mcusim.experiment.tables import Model

CASE = Case(
    id="m-int8-b",
    model=Model(name="m", architecture="mlp", parameters={"units": [3]}),
    repeat=2,
    quantization=Quantization(data_type="int8"),
    board="/elsewhere/b.toml",
    engine="qemu",
)


def test_it_can_be_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(CASE)) == CASE


def test_names() -> None:
    assert CASE.board_name == "b" and CASE.label == "m #2, int8, b in qemu"
    assert replace(CASE, board=None, engine="host").board_name == "host"


def test_engines_do_the_same_work() -> None:
    assert replace(CASE, engine="renode", id="x").work == CASE.work
    assert replace(CASE, board="b").work != CASE.work != replace(CASE, repeat=0).work
