"""Run + figure -> a number that tells what it is of, where a test that compares it fails."""

from mcusim.reports.figures import OF_CYCLES
from mcusim.reports.report import Run
from mcusim.tasks.figure import Figure

_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


class Measured(float):
    """A figure of a run: a number like any other, but for how it is shown."""

    run: Run
    figure: Figure

    @classmethod
    def of(cls, run: Run, figure: Figure, value: float) -> "Measured":
        made = cls(value)
        made.run, made.figure = run, figure
        return made

    def __repr__(self) -> str:
        return f"{self.figure.name} {self._amount(self)} of {self.run.label}"

    def _amount(self, value: float) -> str:
        return self.figure.amount(int(value) if float(value).is_integer() else float(value))

    def against(self, relation: str, limit: float) -> list[str]:
        """Lines for a comparison that is not so: by how much, of which run, and how sure the figure is."""
        far = f": off by {off}" if (off := self.figure.beyond(self, limit)) else ""
        lines = [
            f"{self.figure.name} {self._amount(self)} {relation} {self._amount(limit)}{far}",
            f"run: {self.run.label}",
        ]
        error = self.run.cycles.error_pct if self.run.cycles and self.figure.key in OF_CYCLES else None
        if error:
            lines.append(f"± {error['median']:g} % (median), {error['p90']:g} % (p90): {error['from']}")
        return lines


def told_comparison(relation: str, left: object, right: object) -> list[str] | None:
    """Lines for a comparison that is not so, where a figure is compared with a number."""
    if isinstance(left, Measured) and isinstance(right, (int, float)):
        return left.against(relation, right)
    if isinstance(right, Measured) and isinstance(left, (int, float)):
        return right.against(_TURNED.get(relation, relation), left)
    return None
