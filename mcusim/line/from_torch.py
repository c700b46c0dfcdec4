"""Module of PyTorch -> Source: what `torch.export` writes of it, read as a file is."""

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mcusim.line.front import read_model
from mcusim.models.pytorch.reference import install
from mcusim.models.source import Source
from mcusim.system.errors import MissingToolError, ModelError

SUFFIX = ".pt2"


def from_torch(module: Any, example: Any, path: Path | str | None = None) -> Source:
    """A `torch.nn.Module`, for inference, and an example of its input: a tensor, or a tuple of them, for a batch of 1.

    `path`: where the program is kept, for `file = "model.pt2"` in an experiment. Raises MissingToolError without
    PyTorch, ModelError for what cannot be exported or read.
    """
    if find_spec("torch") is None:
        raise MissingToolError(install().partition(":")[0], hint=install().partition(": ")[2])
    if path is not None and Path(path).suffix != SUFFIX:
        raise ModelError(f"{Path(path).name!r} is no name for a program of PyTorch", hint="call it model.pt2")
    with tempfile.TemporaryDirectory(prefix="mcusim-torch-") as folder:
        kept = Path(folder) / f"model{SUFFIX}" if path is None else Path(path)
        _export(module, example, kept)
        return read_model(kept)


def _export(module: Any, example: Any, path: Path) -> None:
    import torch

    was_training = bool(module.training)
    module.eval()
    try:
        program = torch.export.export(module, example if isinstance(example, tuple) else (example,))
        torch.export.save(program, str(path))
    except Exception as error:  # of many kinds, by design of what traces Python
        lines = str(error).strip().splitlines() or [type(error).__name__]
        what = f"torch.export cannot export {type(module).__name__!r}: {lines[0][:200]}"
        hint = "see that torch.export.export(module, (example,)) runs: conditions on numbers cannot be exported"
        raise ModelError(what, hint=hint) from None
    finally:
        module.train(was_training)
