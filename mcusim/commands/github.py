"""github: what a job of GitHub Actions does around a run; action.yml calls it."""

from pathlib import Path

import click

from mcusim.commands import options
from mcusim.commands.streams import say
from mcusim.system.errors import McusimError
from mcusim.system.files import read_text, write_bytes

LARGEST_TEXT_BYTES = 2**24


@click.group()
def github() -> None:
    """For jobs of GitHub Actions: the baseline, a comment."""


@github.command()
@click.argument("artifact", metavar="ARTIFACT")
@click.option("--out", type=options.PATH, required=True, metavar="DIR", help="Where its report.json is written.")
def baseline(artifact: str, out: Path) -> None:
    """Fetch the report of the default branch.

    It is that of its newest job with an artefact of that name. That there is none yet is no error.
    """
    from mcusim.reports.report import REPORT
    from mcusim.system import github as api

    job = api.Job.here()
    found = api.baseline(job, artifact, REPORT)
    if found is None:
        say(f"there is no baseline yet: no artefact {artifact!r} of the branch {job.default_branch or 'by default'!r}")
    else:
        write_bytes(out / REPORT, found)
        say(f"baseline: {out / REPORT}")


@github.command()
@click.argument("files", nargs=-1, required=True, type=options.PATH, metavar="FILE.md...")
@click.option("--name", default="mcusim", metavar="N", help="Which comment it takes the place of.")
def comment(files: tuple[Path, ...], name: str) -> None:
    """Say it on the pull request, in one comment.

    Files that are not there are left out. A job that may not comment, as one from a fork, says so, and is not in error.
    """
    from mcusim.system import github as api

    texts = [read_text(path, LARGEST_TEXT_BYTES, hint="give a Markdown file") for path in files if path.exists()]
    try:
        say(f"comment: {api.comment(api.Job.here(), name, chr(10).join(texts)) or 'written'}")
    except McusimError as error:
        say(f"note: no comment: {error.what}" + (f" ({error.hint})" if error.hint else ""), error=True)
