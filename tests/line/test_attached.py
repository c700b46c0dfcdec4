"""A run on real boards is refused before anything takes long when the map has none of a type."""

from dataclasses import replace
from pathlib import Path

import pytest

from mcusim.engines import ENGINES, qemu
from mcusim.experiment.read import read_experiment
from mcusim.line.preflight import check_line
from mcusim.line.stages import Stages
from mcusim.system.errors import ConfigurationError


class Silicon:
    """Engine qemu, said to run on real boards."""

    def __getattr__(self, name: str) -> object:
        return replace(qemu.FACTS, silicon=True) if name == "FACTS" else getattr(qemu, name)


def test_no_board_of_that_type(tmp_path: Path) -> None:
    (tmp_path / "hardware.toml").write_text('[[board]]\nid = "e1"\ntype = "sparkfun_edge"\n')
    text = '[experiment]\nname = "a"\n[dataset]\nname = "digits"\n[[model]]\narchitecture = "mlp"\n[target]\n'
    (tmp_path / "e.toml").write_text(text + 'hardware = "hardware.toml"\nboards = ["nucleo_l452re_p"]\n')
    stages = Stages(engines={**ENGINES, "qemu": Silicon()})  # type: ignore[dict-item]
    with pytest.raises(ConfigurationError, match="no board of type 'nucleo_l452re_p'") as caught:
        check_line(read_experiment(tmp_path / "e.toml"), stages, tmp_path, may_train=False)
    assert str(tmp_path / "hardware.toml") in (caught.value.where or "")
