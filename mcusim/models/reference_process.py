"""A process that runs a model in its framework: `python -m mcusim.models.reference_process FOLDER PARENT`."""

import json
import os
import sys
from pathlib import Path

from mcusim.models import MODELS
from mcusim.models.reference import REQUEST, serve
from mcusim.models.source import Origin
from mcusim.system.orphan import end_with


def main(folder: Path, parent: int) -> None:
    """What `parent` asks. It gives way to the rest of the line."""
    end_with(parent, leaving=folder)
    os.nice(5)
    answer(folder)


def answer(folder: Path) -> None:
    """The request in `folder`."""
    request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    reference = next(model_format.REFERENCE for model_format in MODELS if request["format"] == model_format.NAME)
    assert reference is not None
    wanted = [Origin(tuple(path), tuple(calls)) for path, calls in request["wanted"]]
    serve(folder, reference, Path(request["path"]), wanted)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
