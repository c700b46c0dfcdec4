"""Experiment -> Report, by the workers of a cluster: each runs a shard, and what they saw is put together here."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from mcusim import pipeline
from mcusim.experiment.experiment import Experiment
from mcusim.line.bench import Bench
from mcusim.line.case import model_file, real_of
from mcusim.line.merge import merged
from mcusim.line.preflight import check_out
from mcusim.line.ready import Setting
from mcusim.line.sharding import MOST_SHARDS, Which
from mcusim.line.watcher import Silent, Watcher
from mcusim.reports.report import REPORT, Report
from mcusim.system.cluster import Cluster
from mcusim.system.errors import EngineError, McusimError
from mcusim.system.memory import keep_freed

SHARDS = "shards"  # in `out`: a folder of each


@dataclass(frozen=True)
class Task:
    """What a worker is given: values, and files that lie there as they do here. `cache`: as of `pipeline.reports`."""

    experiment: Experiment
    out: Path
    which: Which
    cache: Path | None


def run_shard(task: Task) -> tuple[McusimError, ...]:
    """On a worker, with one process. What is in the way of all runs is given back."""
    keep_freed()
    alone = task.experiment.with_options(jobs=1)
    try:
        pipeline.run(alone, task.out, Silent(), may_train=False, shard=task.which, cache=task.cache)
    except McusimError as error:
        return (error,)
    return ()


def reports(
    experiment: Experiment,
    out: Path,
    watcher: Watcher,
    cluster: Cluster,
    *,
    may_train: bool = True,
    cache: Path | None = None,
) -> Iterator[Report]:
    """The report of `pipeline.reports`, when all shards are there: equal but for times.

    A worker has one shard, so that it makes models ready once. Raises McusimError as `pipeline.reports` does, or as
    `merge`, EngineError where a worker was lost again and again.
    """
    check_out(out, (SHARDS, *(case.id for case in experiment.cases())))
    _train(Setting(experiment, out, may_train), watcher)
    of = min(len(cluster.able), MOST_SHARDS)
    folders = [out / SHARDS / f"{number}-of-{of}" for number in range(1, of + 1)]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        if (out / "models").is_dir():
            shutil.copytree(out / "models", folder / "models")
    tasks = [Task(experiment, folder, Which(number, of), cache) for number, folder in enumerate(folders, 1)]
    watcher.stage(f"running {of} shards")
    told = {f"mcusim-shard-{uuid4()}": task for task in tasks}
    for done, (task, errors) in enumerate(cluster.each(run_shard, told), 1):
        for error in errors or ():
            raise error
        if errors is None:
            what, hint = f"the worker of shard {task.which} was lost, again and again", "give workers more memory"
            raise EngineError(what, where=str(task.out), hint=hint)
        if not (task.out / REPORT).is_file():
            what = f"shard {task.which} was run, and its report is not here"
            raise EngineError(what, where=str(task.out), hint="give workers the folder of --out, by NFS or a volume")
        watcher.progress(done, of)
    pipeline.keep_earlier(out)
    whole = replace(merged(folders, out), file=pipeline.seen_from_here(experiment.path))
    whole.write(out / REPORT)
    yield whole


def _train(setting: Setting, watcher: Watcher) -> None:
    """Once, and not on every worker."""
    with Bench(watcher) as bench:
        for model, repeat in setting.experiment.trainings():
            if model.architecture:
                model_file(setting, model, repeat, bench)
        tunes = any(one.tuning for one in setting.experiment.approximations)
        for case in setting.experiment.cases() if tunes else ():
            for network in case.networks:
                real_of(setting, network, bench)
