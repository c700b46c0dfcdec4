"""The rooms whose tests are tried, and the tests that are asked: those of the room and of the line that uses it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Room:
    """Patterns of the files that are changed, and what pytest is told to run.

    `without` leaves out tests that read the files' text instead of running them, start a process for each answer, or
    take seconds for what others see at once."""

    files: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        return ["-p", "no:cacheprovider", "-p", "no:xdist", *(f"--deselect={one}" for one in self.without)]


ROOMS = {
    "numbers": Room(
        ("mcusim/numbers/*",),
        ("tests/numbers", "tests/line/test_quantize.py", "tests/layers", "tests/models/test_tflite_integers.py"),
        ("tests/layers/test_layers.py::test_c_equals_run", "tests/layers/test_layers.py::test_floats_are_close[fused]"),
    ),
    "kernels": Room(("mcusim/kernels/*",), ("tests/kernels", "tests/line/test_select.py", "tests/line/test_within.py")),
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
