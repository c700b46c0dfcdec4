"""Random graphs of ONNX against onnxruntime: equal but for rounding, whatever stands behind what."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.system.errors import ModelError
from tests.onnx_files import assert_equal
from tests.onnx_graphs import REFUSALS, network_of

EXAMPLES = int(os.environ.get("MCUSIM_GRAPHS", "60"))


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_random_graphs(data: st.DataObject) -> None:
    file = network_of(data)
    try:
        assert_equal(file, tolerance=1e-3)
    except ModelError as error:
        assert any(word in error.what for word in REFUSALS), error.what
