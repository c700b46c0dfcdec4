"""What to say of the kernels of a case: those of other bits, names that fit nowhere, wishes that are for boards."""

from mcusim.experiment.tables import Target
from mcusim.graph import Graph
from mcusim.kernels.bands import JOINED
from mcusim.kernels.choice import Option
from mcusim.line.knapsack import Selection
from mcusim.line.select import Choice
from mcusim.system.arrays import Array

MOST_SAMPLES = 256  # that tell how large inputs are


def kernel_notes(graph: Graph, choice: Choice, target: Target, x: Array) -> tuple[str, ...]:
    """`x`: real samples (N, ...), with which the stated error of a kernel of other bits is computed."""
    of_board = () if choice.destination.core else _for_boards(target)
    return (*of_board, *_nowhere(choice, target), *_other_bits(graph, choice.selected, x))


def _for_boards(target: Target) -> tuple[str, ...]:
    keys = [key for key in ("flash_max", "ram_max") if getattr(target, key) is not None]
    keys += ["code_in_ram"] if target.code_in_ram is True else []
    verb = "is" if len(keys) == 1 else "are"
    return (f"{' and '.join(keys)} {verb} for boards: this engine has none, and runs portable C",) if keys else ()


def _nowhere(choice: Choice, target: Target) -> tuple[str, ...]:
    """Of the names for all layers those that fit none: else a layer would say so, and end the run."""
    names = {option.kernel.NAME for several in choice.options.values() for option in several}
    fitting = {part for name in names for part in name.split(JOINED)}
    absent = [name for name in target.kernels.default if name not in fitting]
    core = "" if choice.destination.core else ", without a board"
    return tuple(f"kernel {name!r} of [target] kernels fits no layer here{core}: others run" for name in absent)


def _other_bits(graph: Graph, selected: Selection, x: Array) -> tuple[str, ...]:
    own = [option for option in selected.values() if hasattr(option.kernel, "largest_error")]
    if not own:
        return ()
    ranges = graph.ranges(x[:MOST_SAMPLES])
    notes = []
    for kernel in dict.fromkeys(option.kernel.NAME for option in own):
        errors = {
            option.layer.name: _error(option, ranges[option.inputs[0].name].peak)
            for option in own
            if kernel == option.kernel.NAME
        }
        worst = max(errors, key=lambda name: errors[name])
        notes.append(
            f"kernel {kernel!r} runs as [target] kernels names it, in {', '.join(map(repr, errors))}: its bits are"
            " not those of plain C. For inputs as large as those of the samples, outputs are at most"
            f" {errors[worst]:.1e} from the exact sum (in {worst!r})"
        )
    return tuple(notes)


def _error(option: Option, largest: float) -> float:
    stated = getattr(option.kernel, "largest_error", None)
    assert stated is not None, f"{option.kernel.NAME} does not state its error"
    return float(stated(option.layer, largest))
