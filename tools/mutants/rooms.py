"""The rooms whose tests are tried, and the tests that are asked: those of the room and of the line that uses it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Room:
    """Patterns of the files that are changed, and the tests that are asked, `quick` ones before all others: they take
    few seconds and see a lot.
    """

    files: tuple[str, ...]
    tests: tuple[str, ...]
    quick: tuple[str, ...] = ()


ROOMS = {
    "numbers": Room(
        ("mcusim/numbers/*",),
        ("tests/numbers", "tests/line/test_quantize.py", "tests/layers", "tests/models/test_tflite_integers.py"),
    ),
    "kernels": Room(
        ("mcusim/kernels/*",),
        ("tests/kernels", "tests/layers/test_layers.py", "tests/line/test_select.py", "tests/line/test_within.py"),
        ("tests/kernels/test_told.py", "tests/layers/test_layers.py", "tests/kernels/test_routine_names.py"),
    ),
    "front": Room(
        ("mcusim/line/front.py",),
        ("tests/line/test_front.py", "tests/line/test_equalize.py", "tests/line/test_relu_first.py"),
    ),
    "timing": Room(("mcusim/timing/*",), ("tests/timing", "tests/commands/test_validate.py")),
    "reports": Room(
        ("mcusim/reports/*", "mcusim/line/budgets.py"),
        ("tests/reports", "tests/line/test_budgets.py", "tests/test_pipeline.py", "tests/experiment"),
    ),
}
