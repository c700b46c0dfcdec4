"""A toy architecture, added as the recipe says."""

from __future__ import annotations

import pytest

from mcusim.system.errors import ConfigurationError
from mcusim.training.architectures import architecture_of


def test_its_parameters_are_checked_where_an_experiment_is_read() -> None:
    bottleneck = architecture_of("bottleneck")
    bottleneck.demand_known({"widest": 16, "depth": 2})
    with pytest.raises(ConfigurationError, match="'widest' is 0"):
        bottleneck.demand_known({"widest": 0})
