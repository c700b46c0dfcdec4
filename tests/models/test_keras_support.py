"""The table of `mcusim layers` is true: every case of the layer tests runs in every number type."""

from __future__ import annotations

import numpy as np
from click.testing import CliRunner

from mcusim.commands.inventory import layers
from mcusim.layers.pointwise import Pointwise
from mcusim.line.quantize import quantize
from mcusim.models.keras.activations import ACTIVATIONS
from mcusim.models.keras.layers import CONVERTERS, IDENTITIES
from mcusim.models.keras.reader import CURVE, DROPPED, YES, activations, kinds
from mcusim.numbers.tables import Interpolation
from tests.graphs import Builder


def test_it_names_all_that_can_be_read() -> None:
    assert set(kinds()) == {*CONVERTERS, *IDENTITIES, "InputLayer"}
    assert all(cells == DROPPED for name, cells in kinds().items() if name in IDENTITIES)
    assert kinds()["Dense"] == kinds()["ReLU"] == YES and kinds()["ELU"] == CURVE


def test_functions_are_lines_beyond_8_bits_and_tables_below() -> None:
    for name, cells in activations().items():
        builder = Builder((4, 3))
        builder.add("Activation", activation=name)
        wide, narrow = (quantize(builder.graph(), builder.samples(), data_type) for data_type in ("int16", "int8"))
        if cells == CURVE:
            assert isinstance(wide.layers[-1], Pointwise) and isinstance(wide.layers[-1].lookup, Interpolation)
            assert isinstance(narrow.layers[-1], Pointwise) and len(narrow.layers[-1].lookup.table) == 256  # type: ignore[union-attr]
        else:
            assert not isinstance(wide.layers[-1], Pointwise)
        assert np.isfinite(builder.graph().run(builder.samples())).all()


def test_the_command_fits_80_columns() -> None:
    text = CliRunner().invoke(layers).output
    assert max(map(len, text.splitlines())) <= 80
    assert all(f"\n{name} " in text for name in (*CONVERTERS, *ACTIVATIONS))
