"""run, train, build, evaluate: stages of the line for an experiment, each picking up where the last one stopped."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcusim.commands import options
from mcusim.commands.session import Session
from mcusim.commands.streams import say
from mcusim.commands.written import print_those, summarize, write
from mcusim.reports import FORMATS, demand, render
from mcusim.system.errors import OK, ConfigurationError
from mcusim.system.files import forget, write_text

if TYPE_CHECKING:
    from mcusim.experiment.experiment import Experiment
    from mcusim.line.explain import LayerNoise
    from mcusim.line.float_model import FloatModel
    from mcusim.line.watcher import Watcher
    from mcusim.reports.report import Report

EXPLANATION, EXPLAINED_SAMPLES = "explain.json", 200


@click.command()
@options.run_options
@click.pass_obj
def run(session: Session, /, **choices: Any) -> int:
    """Do it all: train, quantize, build, run, report.

    Every model of the experiment is trained or loaded, quantized in every way, written as C, built for every board
    and run on the test set. Results lie in --out; exit code 7 tells of a broken budget. A model that was trained
    before with the same settings into the same --out is used again.
    """
    return _run(session, may_train=True, **choices)


@click.command()
@options.run_options
@click.option("--explain", is_flag=True, help="Run nothing: rank layers by their share of the quantization's error.")
@click.pass_obj
def evaluate(session: Session, /, explain: bool, **choices: Any) -> int:
    """As run, without training.

    Takes the models that `mcusim train` has trained into the same --out. With --explain it tells where quantization
    loses most, in a table and in explain.json of --out.
    """
    return _explain(session, **choices) if explain else _run(session, may_train=False, **choices)


@click.command()
@options.decorated(options.experiment_argument, options.out_option, options.model_option, options.seed_option)
@click.pass_obj
def train(session: Session, /, experiment: Path, out: Path | None, **choices: Any) -> None:
    """Train the models of an experiment.

    Also when all of them were trained before; where some were, because training was interrupted, it goes on with the
    others. `generate`, `build`, `evaluate` and `run` with the same --out use them.
    """
    from mcusim.line.case import dataset_of, float_model, model_file
    from mcusim.line.trained import Trained

    setting, bench = options.set_up(experiment, session, out, may_train=True, **choices)
    wanted = [(model, repeat) for model, repeat in setting.experiment.trainings() if not model.OF_OTHERS]
    trainings = [pair for pair in wanted if pair[0].is_trained]
    data = dataset_of(setting, bench) if trainings else None
    there = [pair for pair in trainings if data and Trained(setting.experiment, *pair, data, setting.trained).before()]
    again = len(there) == len(trainings)
    for model, repeat in wanted:
        path = model_file(setting, model, repeat, bench, again=again)
        told = _told(float_model(setting, model, repeat, bench))
        before = (model, repeat) in there and not again
        session.close()
        say(f"{path}: {told}" + (" (trained before)" if before else "" if model.is_trained else " (not trained here)"))


def _told(model: FloatModel) -> str:
    """The accuracy, or what else a task tells, and of how many samples."""
    from mcusim.reports.figures import FIGURES

    accuracy, scores = model.scores
    all_samples = len(model.fitted.dataset.x_test)
    part = "" if len(model.x) == all_samples else f"{len(model.x):,} of {all_samples:,} samples of "
    if accuracy is not None:
        return f"accuracy {accuracy:.2%} on {part}the test set"
    figures = ((FIGURES.get(f"scores.{name}"), value) for name, value in scores.items())
    told = [f"{figure.word} {figure.amount(value)}" for figure, value in figures if figure and value is not None]
    return f"{', '.join(told)} on {part}the test set" if told else "no accuracy"


@click.command()
@options.decorated(options.choice_options, options.board_option, options.engine_option, options.seed_option)
@click.pass_obj
def build(session: Session, /, experiment: Path, out: Path | None, **choices: Any) -> None:
    """Build firmware of trained models."""
    from mcusim.line.case import firmware_of
    from mcusim.line.preflight import check_build

    setting, bench = options.set_up(experiment, session, out, **choices)
    check_build(setting.experiment, bench.stages)
    for case in setting.experiment.cases():
        firmware = firmware_of(setting, case, bench)
        session.close()
        rom = firmware.rom_bytes
        size = f"ROM {rom.total:,} bytes (code {rom.code:,}, weights {rom.weights:,})" if rom else "for this machine"
        arena = f", arena {firmware.arena_bytes:,} bytes" if firmware.arena_bytes is not None else ""
        say(f"{case.label}: {size}{arena}")
        say(f"  {firmware.elf}")


def _write_rows(report: Report, experiment: Experiment, out: Path) -> None:
    """What real boards measured, beside what is modelled of the same work."""
    if not any(run.clock_hz_measured for run in report.runs):
        return
    from mcusim.line.measured_rows import ROWS, measured_rows
    from mcusim.timing.record import write_record

    if lines := list(measured_rows(report, experiment)):
        write_record(out / ROWS, lines)
        say(f"modelled and measured, as platforms/measured.csv: {out / ROWS}")


def _explain(session: Session, experiment: Path, out: Path | None, **choices: Any) -> int:
    from mcusim.line.case import explained
    from mcusim.line.explain import to_json

    for name in FORMATS:
        if choices.pop(name):
            what = f"--{name} writes a report, and --explain makes none"
            raise ConfigurationError(what, hint=f"leave it out: the explanation is in {EXPLANATION} of --out")
    for name in ("shard", "cache", "scheduler"):
        if choices.pop(name) is not None:
            raise ConfigurationError(f"--{name} is of runs, and --explain makes none", hint="leave it out")
    choices["samples"] = choices["samples"] or EXPLAINED_SAMPLES
    setting, bench = options.set_up(experiment, session, out, **choices)
    every = [case for case in setting.experiment.cases() if not case.model.OF_OTHERS]
    if not every:
        hint = "explain the networks that it is made of: leave --model out, or name these"
        raise ConfigurationError("a cascade has no explanation of its own", hint=hint)
    cases = {case.quantized_label: case for case in every if case.quantization.data_type != "float32"}
    if not cases:
        hint = "add an integer type: [[quantization]] data_type = 'int8', or --data-type int8"
        raise ConfigurationError("float32 is not quantized: there is nothing to explain", hint=hint)
    told = {}
    for label, case in cases.items():
        told[label] = explained(setting, case, bench)
        session.close()
        _say_noise(label, told[label])
    write_text(setting.out / EXPLANATION, to_json(told))
    say(f"explanation: {setting.out / EXPLANATION}")
    return OK


def _say_noise(label: str, rows: Sequence[LayerNoise]) -> None:
    say(f"{label}: share of the error; signal to noise in dB, of the outputs with this layer alone")
    say("quantized, and behind the layer with all before it")
    say("  share  alone  behind  layer")
    for row in rows:
        alone, behind = ("-" if db is None else f"{db:.1f}" for db in (row.alone_db, row.so_far_db))
        say(f" {row.share:6.1%} {alone:>6}  {behind:>6}  {row.name}: {row.kind}, {row.numbers}")


def _reports(
    experiment: Experiment, out: Path, watcher: Watcher, scheduler: str | None, *, may_train: bool, **divided: Any
) -> Iterator[Report]:
    """Of this process, or of a cluster."""
    from mcusim import pipeline

    if scheduler is None:
        yield from pipeline.reports(experiment, out, watcher, may_train=may_train, **divided)
        return
    from mcusim.line import scheduled
    from mcusim.line.preflight import check_machine
    from mcusim.system.cluster import cluster

    with cluster(scheduler, 1, partial(check_machine, experiment, experiment.engines)) as there:
        for note in there.notes:
            say(note)
        yield from scheduled.reports(
            experiment, out.absolute(), watcher, there, may_train=may_train, cache=divided["cache"]
        )


def _run(session: Session, experiment: Path, out: Path | None, *, may_train: bool, **choices: Any) -> int:
    from mcusim import pipeline
    from mcusim.commands.terminal import Terminal, output
    from mcusim.reports.report import REPORT
    from mcusim.reports.to_console import show

    files = {name: choices.pop(name) for name in FORMATS}
    demand(name for name, path in files.items() if path)  # not after hours
    for path in filter(None, files.values()):
        forget(path)  # whatever ends this run: that of an earlier one must not be taken for its own
    divided = {name: choices.pop(name) for name in ("shard", "cache")}
    scheduler = choices.pop("scheduler")
    if scheduler is not None and divided["shard"]:
        raise ConfigurationError("--scheduler makes shards itself", hint="leave --shard out")
    if scheduler is not None:
        experiment = experiment.absolute()  # workers are started elsewhere
    chosen, out = options.open_experiment(experiment, session, out, **choices)
    last: deque[Report] = deque(maxlen=1)
    ended = False
    try:
        last.extend(_reports(chosen, out, Terminal(session), scheduler, may_train=may_train, **divided))
        ended = True
    finally:
        session.close()
        for report in last:
            written = write(files, partial(render, report, folder=out))
            summarize(partial(render, report, "markdown"), REPORT)
            if ended:
                show(report, output())
                before = f" (the one before: {pipeline.BEFORE})" if (out / pipeline.BEFORE).exists() else ""
                for line in (f"report: {out / REPORT}{before}", *written):
                    say(line)
                _write_rows(report, chosen, out)
            print_those(files, partial(render, report, folder=out))
    return last[0].exit_code
