"""What is asked of an output, in few words."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcusim.tasks.task import Asked


def asked(elements: int = 3, targets: Any = None, **changes: Any) -> Asked:
    """An only output of so many elements, of a model of 4 inputs."""
    values: dict[str, Any] = {
        "model": "model",
        "dataset": "mine",
        "output": "",
        "shape": (elements,),
        "end": "Dense",
        "inputs": ((4,),),
        "targets": None if targets is None else np.asarray(targets),
    }
    return Asked(**{**values, **changes})
