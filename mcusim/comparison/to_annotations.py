"""Comparison -> workflow commands of GitHub: each broken limit, at its line of [regress] in a pull request."""

from mcusim.comparison.comparison import Comparison, Held, RunComparison
from mcusim.comparison.told import lines
from mcusim.comparison.wording import told
from mcusim.reports import to_annotations


def render(comparison: Comparison) -> str:
    return to_annotations.lines(_of_limit(run, held) for run, held in comparison.broken)


def _of_limit(run: RunComparison, held: Held) -> str:
    message = "; ".join([told(held), *lines(run)])
    return to_annotations.annotation(run.run.label, message, held.limit.file, held.limit.line)
