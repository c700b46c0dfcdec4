"""Renode and pyrenode3 -> this machine, where no package manager has them; and what is then used."""

from pathlib import Path

from mcusim.engines.engine import Tell
from mcusim.engines.renode.download import install_pyrenode3, install_renode
from mcusim.engines.renode.installation import find_installation, missing_packages
from mcusim.system.errors import McusimError, MissingToolError
from mcusim.system.names import printable
from mcusim.system.progress import Listener


def install(force: bool, tell: Tell, listener: Listener) -> None:
    """Into mcusim's cache folder, and pyrenode3 into the Python that runs mcusim. See `Facts.install`."""
    listener.stage("Renode")
    renode = install_renode(force=force, progress=listener.downloading)
    state = "installed in" if renode.fresh else "is there already:"
    tell(printable(f"Renode {renode.version} {state} {renode.program.parent}"))
    if force or missing_packages():
        listener.stage("installing pyrenode3")
    _install_pyrenode3(force, tell)
    _tell_what_is_used(renode.program, tell)


def _install_pyrenode3(force: bool, tell: Tell) -> None:
    """Without it Renode works as well: not to get it is no failure."""
    try:
        fresh = install_pyrenode3(force=force)
    except MissingToolError as error:
        tell(printable(f"pyrenode3 not installed ({error.what}): mcusim drives Renode by Monitor scripts instead"))
        tell(f"  by hand: {printable(str(error.hint))}")
    else:
        tell("pyrenode3 installed" if fresh else "pyrenode3 is there already")


def _tell_what_is_used(installed: Path, tell: Tell) -> None:
    """Variables of the user come before what is installed here, and may be wrong."""
    try:
        used = find_installation()
    except McusimError as error:
        tell(printable(f"note: engine renode does not run yet: {error.what}"))
        return
    driver = "Monitor scripts" if used.worker is None else "pyrenode3"
    tell(printable(f"engine renode runs here: Renode {used.version}, driven by {driver}"))
    notes = list(used.notes)
    if used.program != installed:
        notes.append(f"it is {used.program}: RENODE_ROOT, PYRENODE_BIN and PYRENODE_BUILD_DIR come first")
    for note in notes:
        tell(f"  {printable(note)}")
