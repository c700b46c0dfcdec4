"""Model file + calibration samples -> Generated: the short way, without experiment and board."""

from dataclasses import replace
from pathlib import Path

from mcusim.boards.load import load_board
from mcusim.datasets.npz_file import training_samples
from mcusim.experiment.quantization import Quantization
from mcusim.experiment.tables import Target
from mcusim.kernels.choice import ANYWHERE
from mcusim.line.destination import destination_of
from mcusim.line.front import Generated, generate, read_model
from mcusim.line.hand_over import with_stack
from mcusim.line.optimize import drop_softmax
from mcusim.line.quantize import AS_STORED
from mcusim.line.stored import demand_type
from mcusim.models import may_hold_integers
from mcusim.system.errors import Problems
from mcusim.system.validation import COMMAND_LINE, validate

WHERE = "mcusim generate"


def library_of_model(
    path: Path, calibration: Path | None, seed: int = 0, board: str | None = None, **words: str
) -> Generated:
    """The C library of a model file. `words` are those of [[quantization]]; a model that is quantized needs none.

    `calibration`: `.npz` with raw samples (N, *input_shape) as `x_train`, or `x_train_<input>` for each of several, or
    `x`; the model's normalization is applied. With their targets (`y_train`) and the `seed` of an experiment those are
    chosen that it chooses. `board`: whose kernels are chosen, by name or file; plain C for any without one.
    """
    told, problems = "data_type" in words, Problems()
    with problems.caught():
        chosen = validate(Quantization, {"data_type": AS_STORED, **words}, COMMAND_LINE)
    with problems.caught():
        place = load_board(board) if board else None
    with problems.caught():
        x, y = (None, None) if calibration is None else training_samples(calibration)
    with problems.caught():
        demand_type(told or may_hold_integers(path), WHERE)
        source = read_model(path)
        demand_type(told or source.graph.is_quantized, WHERE)
    problems.tell()
    source = replace(source, graph=drop_softmax(source.graph))
    x = None if x is None else source.arranged(x)
    destination = destination_of(place, Target()) if place else ANYWHERE
    return with_stack(generate(source, x, chosen, destination, labels=y, seed=seed), place)
