"""A task, a figure, a report format: what is told of a run."""

from __future__ import annotations

from tests.recipes.tree import Tree

REPORTS = ("tests/reports", "tests/experiment/test_read.py", "tests/line/test_budgets.py")
# Names of all kinds, how long many runs take and what a browser says have nothing to do with what is added.
CHOSEN = ("-k", "not any_name and not no_name and not thousand and not among_many and not scikit and not test_pages")


def test_a_task(tree: Tree) -> None:
    tree.add("task")
    tree.line("mcusim/tasks/__init__.py", "anomaly, none)", "anomaly, none, counting)")
    tree.imported(
        "mcusim/tasks/__init__.py",
        "import anomaly, classification, multi",
        "import anomaly, classification, counting, multi",
    )
    told = "- `counting`, never guessed: what is counted\n- `none`, without"
    tree.edit("docs/experiment.md", "- `none`, without", told)
    tree.test(*REPORTS, "tests/tasks", *CHOSEN)
    assert "| `scores.counted` | share | share of samples that are counted right |" in tree.text("docs/report.md")
    assert "| `counted_min` | share of samples that are counted right |" in tree.text("docs/experiment.md")
    assert tree.touched() == (2, 1)


FIGURE = """\
SIZE = (
    Figure(
        "bytes_per_mac",
        "`rom_bytes.total / macs`",
        word="bytes for a MAC",
        show="{:.3f}".format,
        better="lower",
        of=lambda run: run.rom_bytes.total / run.macs if run.rom_bytes and run.macs else None,
        budget=Budget("bytes_per_mac_max", "positive", lacks="size or MACs", doc="bytes of flash for a MAC"),
    ),
"""


def test_a_figure(tree: Tree) -> None:
    tree.edit("mcusim/reports/figures.py", "SIZE = (\n", FIGURE)
    tree.test(*REPORTS, *CHOSEN)
    assert "| `bytes_per_mac_max` | bytes of flash for a MAC |" in tree.text("docs/experiment.md")
    assert '"bytes_per_mac" value="0.07' in tree.text("tests/golden/to_junit/full.xml")
    assert "against `rom_bytes.total / macs`" in " ".join(tree.text("docs/report.md").split())
    assert tree.touched() == (1, 0)


def test_a_report_format(tree: Tree) -> None:
    tree.add("report_format")
    tree.line("mcusim/reports/__init__.py", '"markdown": "Markdown",', '"markdown": "Markdown", "csv": "CSV",')
    tree.test("tests/reports/test_to_csv.py")
    assert tree.text("tests/golden/to_csv/full.csv").startswith("model,type,board,accuracy %")
    assert tree.touched() == (1, 1)
