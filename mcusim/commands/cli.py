"""Arguments -> one call. The only place that prints errors and decides how the process ends.

Exit codes: 0 ok, 1 bug, 2 usage or configuration, 3 model or data, 4 tool missing, 5 build, 6 engine, 7 budget broken,
130 interrupted.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import click

from mcusim.commands import completion, streams
from mcusim.commands.compare import compare
from mcusim.commands.convert import convert
from mcusim.commands.doctor import doctor
from mcusim.commands.engines import engines
from mcusim.commands.explore import explore
from mcusim.commands.export import export
from mcusim.commands.generate import generate
from mcusim.commands.github import github
from mcusim.commands.hardware import hardware
from mcusim.commands.init import init
from mcusim.commands.inventory import boards, datasets, layers
from mcusim.commands.kernels import kernels
from mcusim.commands.merge import merge
from mcusim.commands.profile import profile
from mcusim.commands.report import report
from mcusim.commands.reproduce import reproduce
from mcusim.commands.run import build, evaluate, run, train
from mcusim.commands.schema import schema
from mcusim.commands.session import Session
from mcusim.commands.validate import validate
from mcusim.system.errors import BUG, OK, ConfigurationError, McusimError, suggestion
from mcusim.system.interruption import INTERRUPTED
from mcusim.system.names import printable, shortened
from mcusim.system.version import VERSION

OF_MODELS = (
    *(init, run, train, generate, convert, build, evaluate, profile, validate),
    *(export, report, merge, compare, explore, reproduce),
)
WHAT_THERE_IS = (boards, engines, hardware, datasets, layers, kernels, doctor, schema, github)
BROKEN_PIPE = 141
MOST_TOLD = 25  # errors at once
OF_DATA, CALIBRATION = ("--data", "--dataset"), "--calibration"
DATA_HINT = "the experiment names it: [dataset] file = 'data.npz'; mcusim init MODEL DATA.npz writes such a file"
STACKS_HINT = "mcusim profile RUN --stacks F writes what flamegraph.pl draws, --speedscope F what speedscope.app does"
HINTS = dict.fromkeys(("--flamegraph", "--flame-graph"), STACKS_HINT)  # for options that there are not
_RAISED_AGAIN_S = 0.01


class _Commands(click.Group):
    """Commands in the order of the line, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="mcusim")
@click.pass_context
def cli(context: click.Context) -> None:
    """How will this neural network behave on that microcontroller?

    Start with `mcusim run EXPERIMENT.toml`; `mcusim doctor` tells what is missing here.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for _command in (*OF_MODELS, *WHAT_THERE_IS):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The process `mcusim`."""
    code = INTERRUPTED
    with suppress(KeyboardInterrupt):  # a second one, while the first is being told
        streams.prepare()
        _prepare_process()
        answered = completion.answer(cli)
        code = answered if answered is not None else execute(list(sys.argv[1:] if arguments is None else arguments))
    _hear_no_more()
    streams.trouble_of_output()
    sys.exit(code)


def execute(arguments: list[str]) -> int:
    """Run a command line; -> exit code, OK where a command returns none. Nothing but SystemExit ever leaves it."""
    session = Session()
    try:
        try:
            with cli.make_context("mcusim", arguments, obj=session) as context:
                code = cli.invoke(context)
            sys.stdout.flush()
            return code if isinstance(code, int) else OK
        finally:
            session.close()
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError as error:
        return _complain(_usage_error(error))
    except click.ClickException as error:
        return _complain(ConfigurationError(error.format_message(), hint="mcusim --help"))
    except McusimError as error:
        return _complain(error, session)
    except (KeyboardInterrupt, click.Abort):
        return _interrupted(session)
    except OSError as error:
        return _system_trouble(error, session)
    except MemoryError:
        return _complain(ConfigurationError("out of memory", hint="run fewer samples (--samples) or a smaller model"))
    except Exception as error:
        return _bug(error, session)


def _prepare_process() -> None:
    """SIGTERM (a cancelled CI job) ends like Ctrl-C: nothing is lost."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:  # as of what runs in the background of a script
            signal.signal(number, signal.default_int_handler)
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    sys.unraisablehook = _unraisable
    if not os.environ.get("MCUSIM_DEBUG"):
        warnings.simplefilter("ignore")  # of libraries; they are not for users


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Python drops what a callback raises, as one of its own after an import: an interruption is raised again later."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, _RAISED_AGAIN_S)  # now, it would be raised in here
    else:
        sys.__unraisablehook__(unraisable)


def _hear_no_more() -> None:
    """The verdict stands. Any other handler is taken back while Python ends."""
    for number in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM):
        while signal.getsignal(number) != signal.SIG_IGN:
            with suppress(KeyboardInterrupt):  # one that came just before
                signal.signal(number, signal.SIG_IGN)


def _complain(error: McusimError, session: Session | None = None) -> int:
    """Print an error in its three lines; -> its exit code."""
    _show_traceback()
    if type(error) is McusimError:  # a bare one is a bug, see errors.py
        return _bug(error, session or Session())
    told = (error, *error.others)
    for one in told[:MOST_TOLD]:
        for label, text in (("error", one.what), ("  in", one.where), ("  hint", one.hint)):
            if text:
                streams.say(f"{label}: {shortened(text)}", error=True)
    if len(told) > MOST_TOLD:
        streams.say(f"and {len(told) - MOST_TOLD} more", error=True)
    return error.exit_code


def _usage_error(error: click.UsageError) -> ConfigurationError:
    """click's errors in our form, with the nearest word that would have been right."""
    message = error.format_message().rstrip(".")
    message = message[:1].lower() + message[1:]
    context = error.ctx
    where = context.command_path if context else "mcusim"
    hint = f"{where} --help"
    if isinstance(error, click.NoSuchOption) and context:
        names = [name for option in context.command.get_params(context) for name in option.opts]
        meant = HINTS | dict.fromkeys(OF_DATA, CALIBRATION if CALIBRATION in names else DATA_HINT)
        hint = suggestion(error.option_name, [name for name in names if name.startswith("--")], meant)
        return ConfigurationError(f"no such option {error.option_name!r}", where=where, hint=hint)
    if message.startswith("usage: ") and context and isinstance(context.command, click.Group):
        known = ", ".join(sorted(context.command.commands))
        return ConfigurationError("a command is missing", where=where, hint=f"one of: {known}")
    if message.startswith("no such command"):
        name = message.split("'")[1] if "'" in message else ""
        group = context.command if context and isinstance(context.command, click.Group) else cli
        return ConfigurationError(f"no such command {name!r}", where=where, hint=suggestion(name, group.commands))
    return ConfigurationError(message, where=where, hint=DATA_HINT if ".npz)" in message else hint)


def _system_trouble(error: OSError, session: Session) -> int:
    """What the system refused: standard output (quietly, when its reader went away), or anything else."""
    trouble = streams.trouble_of_output()
    if isinstance(trouble, BrokenPipeError):
        return BROKEN_PIPE
    if trouble is None:
        return _complain(_system_error(error, session))
    hint = "make room where it goes, or look at what was written: mcusim report DIR"
    return _complain(ConfigurationError(f"cannot write to standard output: {trouble.strerror}", hint=hint))


_SYSTEM_HINTS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room there, or choose {place}"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "raise ulimit -n, or run fewer processes: --jobs 1"),
    **dict.fromkeys((errno.ENOMEM, errno.EAGAIN), "run fewer processes (--jobs 1) or samples (--samples)"),
    errno.ENXIO: "let somebody read from it first, or name a file",
}


def _system_error(error: OSError, session: Session) -> ConfigurationError:
    name = f" {str(error.filename)!r}" if error.filename else ""
    reason = str(error.strerror or error)
    place = "another place" if session.out is None else "another folder: --out"
    hint = _SYSTEM_HINTS.get(error.errno or 0, "choose {place}, one that can be written").format(place=place)
    if "temporary directory" in reason:
        hint = "name a folder that can be written in TMPDIR"
    return ConfigurationError(f"the system refused{name}: {reason}", hint=hint)


def _interrupted(session: Session) -> int:
    _show_traceback()
    kept = session.out / session.report if session.out else None
    told = f": what was finished is in {kept}" if kept and session.finished_runs else ""
    streams.say(f"interrupted{told}", error=True)
    return INTERRUPTED


def _bug(error: Exception, session: Session) -> int:
    """One line for the user, everything for who repairs it."""
    _show_traceback()
    import traceback

    path = _write_traceback("".join(traceback.format_exception(error)), session.out)
    streams.say(f"bug: {printable(f'{type(error).__name__}: {error}')[:200]}", error=True)
    streams.say(f"  in: mcusim {VERSION}" + (f"; the traceback is in {path}" if path else ""), error=True)
    streams.say("  hint: please report it with that file; MCUSIM_DEBUG=1 shows the traceback here", error=True)
    return BUG


def _show_traceback() -> None:
    """To who asked for it."""
    if os.environ.get("MCUSIM_DEBUG"):
        import traceback

        traceback.print_exc()


def _write_traceback(text: str, out: Path | None) -> Path | None:
    import tempfile

    for folder in (out, None):
        try:
            folder = folder or Path(tempfile.gettempdir())
            path = folder / "mcusim-bug.txt"
            path.write_text(text, encoding="utf-8", errors="replace")
            return path
        except OSError:
            continue
    return None
