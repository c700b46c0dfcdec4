"""Case -> Run: one model, quantized, built, run and measured.

What comes out depends on nothing but `Setting` and `Case`, which are values that another process could be given. A
`Bench` only saves time: what several cases share is done once, and kept open.
"""

import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path

from mcusim.approximate.approximation import Memory
from mcusim.boards.board import Board
from mcusim.cores import core_of
from mcusim.datasets import Dataset
from mcusim.datasets.made_up import SAMPLES as MADE_UP
from mcusim.datasets.made_up import SCALES, made_up
from mcusim.datasets.sampling import choose
from mcusim.engines.engine import Facts, Job, records
from mcusim.experiment.cascade import Cascaded
from mcusim.experiment.case import Case
from mcusim.experiment.quantization import FLOAT, Quantization
from mcusim.experiment.tables import Model, TaskChoice
from mcusim.graph import Graph
from mcusim.kernels.choice import ANYWHERE
from mcusim.line.arrange import arrange
from mcusim.line.bench import Bench
from mcusim.line.build import Firmware
from mcusim.line.cascade import cascade_of, joined
from mcusim.line.destination import destination_of
from mcusim.line.explain import LayerNoise, explain, ranges
from mcusim.line.fit import fit
from mcusim.line.float_model import Answering, FloatModel
from mcusim.line.float_proof import Proved, Proving
from mcusim.line.float_proof import samples_of as samples_to_prove
from mcusim.line.front import fed_equally, generated_within, library_of, quantized_graph, real_graph, reduced_graph
from mcusim.line.identity import identity, identity_of
from mcusim.line.kernel_notes import kernel_notes
from mcusim.line.measure import LayerRange, of_firmware
from mcusim.line.misfed import misfed
from mcusim.line.no_cycles import why_no_cycles
from mcusim.line.normalize import normalize
from mcusim.line.optimize import drop_softmax
from mcusim.line.part import Outcome, Part, Span, outcome_of
from mcusim.line.pictured import keep
from mcusim.line.preflight import board_of
from mcusim.line.ready import ReadyModel, Setting
from mcusim.line.sources import Sources
from mcusim.line.stored import demand_explainable
from mcusim.line.threshold import figures_of, thresholded
from mcusim.line.trained import Trained
from mcusim.line.tuned import tuned_case
from mcusim.line.ways import timed
from mcusim.models.source import Source
from mcusim.numbers.factors import Rescale, rescaling
from mcusim.reports.report import Run, RunError
from mcusim.system.arrays import Array
from mcusim.system.errors import McusimError
from mcusim.system.files import sha256_of
from mcusim.timing.time_counts import time_counts
from mcusim.timing.timing import Timing

RANGED_SAMPLES = 50


def run_case(setting: Setting, case: Case, bench: Bench, span: Span | None = None) -> Outcome:
    """An Outcome in any case: of figures, or of the error. `span`: of these samples alone."""
    try:
        outcome = outcome_of(part_of(setting, case, bench, span))
        samples = float_model(setting, case.model, case.repeat, bench, case.quantization).fitted.dataset.x_test
        keep(setting.out / case.id, samples, outcome.run.worst_samples)
        return outcome
    except McusimError as error:
        return Outcome(replace(_identity(setting, case, bench), error=RunError.of(error)))


def _identity(setting: Setting, case: Case, bench: Bench) -> Run:
    """Of a run that failed: called as one that did not, where its model can be read."""
    try:
        first = case.networks[0]
        return identity_of(case, source_of(setting, first.model, first.repeat, bench).graph)
    except McusimError:
        return identity(case)


def part_of(setting: Setting, case: Case, bench: Bench, span: Span | None = None) -> Part:
    """Firmware -> Execution. `span`: which samples; all of them without one."""
    # First of all: it may take seconds to start, while a model is trained.
    engine = bench.engine(case.engine, setting.jobs)
    proving = _proving(setting, case, bench)  # so does a framework, while the firmware is made
    model, firmware = ready_model(setting, case, bench), firmware_of(setting, case, bench)
    program, origin = model.generated.program, model.origin
    target, (_, board) = setting.experiment.target, place_of(case, bench)
    span = span or Span.whole(len(origin.positions))
    assert span.of == len(origin.positions)  # else samples would be lost, and nobody would see it
    rows = slice(span.first, span.end)
    wanted = origin.wanted(model.answering.of(span), program, span)
    timing = timing_of(setting, case, bench)
    bench.watcher.stage(f"running {case.label}")
    job = Job(
        firmware.image,
        records(model.inputs[rows]),
        setting.out / case.id,
        board,
        stall_s=target.stall_s,
        progress=bench.watcher.progress,
        cycles_per_instruction=timing.cycles_per_instruction if timing else None,
        hardware=target.hardware,
        wait_s=target.wait_s,
    )
    execution = engine.run(job)
    proved = proving() if execution.complete or execution.trouble else Proved(reason="interrupted")
    return Part(
        run=_of_model(setting, case, bench, timing, proved, execution.engine_version),
        label=case.label,
        work=hashlib.sha256(repr(case.work).encode()).hexdigest(),
        span=span,
        execution=execution,
        answer=program.answer_dtype,
        wanted=wanted,
        positions=origin.positions[rows],
        ram_max=target.ram_max,
    )


def _of_model(
    setting: Setting, case: Case, bench: Bench, timing: Timing | None, proved: Proved, engine_version: str
) -> Run:
    """What a run is, whichever samples are run."""
    model, firmware = ready_model(setting, case, bench), firmware_of(setting, case, bench)
    graph, program, origin = model.generated.graph, model.generated.program, model.origin
    target, (facts, board) = setting.experiment.target, place_of(case, bench)
    return replace(
        identity_of(case, origin.source.graph),
        **vars(of_firmware(program, firmware, timing)),
        engine_version=engine_version,
        compiler=firmware.compiler,
        flags=firmware.flags,
        elf_sha256=firmware.elf_sha256,
        model_sha256=_model_sha256(setting, case, bench),
        data_sha256=origin.data_sha256,
        kernels_sha256=model.generated.kernels_sha256,
        clock_hz=board.clock_hz if board else None,
        parameters=graph.parameters,
        macs=graph.macs,
        approximation=graph.skipped_by_kind,
        normalization=origin.source.normalization,
        float_proof=proved.proof,
        no_float_proof=proved.reason,
        no_cycles=None if timing else why_no_cycles(facts, board, target),
        quantized=_ranges(setting, case, bench),
        cascade=figures_of(case.model, graph, model.gone_on, timing, board.clock_hz if board else None),
        kernels=", ".join(dict.fromkeys(step.kernel for step in program.steps)),
        notes=_notes(setting, case, bench, model),
    )


def _notes(setting: Setting, case: Case, bench: Bench, model: ReadyModel) -> tuple[str, ...]:
    """Of the experiment, of how its data fit, of quantization, and of the choice of kernels."""
    generated, origin = model.generated, model.origin
    fitted = generated.graph.is_quantized and not origin.source.graph.is_quantized
    scales = (SCALES,) if fitted and not setting.experiment.dataset.is_there else ()
    kernels = kernel_notes(origin.source.graph, generated.choice, setting.experiment.target, origin.x)
    before = (*setting.experiment.notes, *origin.fitted.notes, *_doubt(setting, case, bench))
    return (*before, *scales, *generated.notes, *kernels)


def _doubt(setting: Setting, case: Case, bench: Bench) -> tuple[str, ...]:
    """Is the model fed what it was trained on? Asked once."""
    origin = float_model(setting, case.model, case.repeat, bench)
    key = ("doubt", case.model.name, case.repeat)
    doubt = bench.once.do(key, lambda: misfed(origin.source, origin.fitted, setting.seed))
    return (doubt,) if doubt else ()


def _proving(setting: Setting, case: Case, bench: Bench) -> Proving:
    """The float model is proved once, however many cases there are of it."""
    if case.model.no_proof:
        return lambda: Proved(reason=case.model.no_proof)
    key = (case.model.name, case.repeat)

    def start() -> Proving:
        origin = float_model(setting, case.model, case.repeat, bench)
        path = model_file(setting, case.model, case.repeat, bench)
        chosen = choose(len(origin.x), samples_to_prove(origin.source.as_read), origin.targets, setting.seed)
        return bench.stages.start_proof(path, origin.source, origin.x[chosen], bench)

    def join() -> Proved:
        bench.watcher.stage(f"comparing {case.model.name} with its framework")
        return started()

    started = bench.once.do(("proving", *key), start)
    return lambda: bench.once.do(("proved", *key), join)


def dataset_of(setting: Setting, bench: Bench) -> Dataset:
    """Raises DataError when it cannot be had. Only of an experiment that has one."""
    experiment = setting.experiment
    name = experiment.dataset.name or experiment.dataset.file or ""

    def load() -> Dataset:
        bench.watcher.stage(f"data set {name}")
        return bench.stages.load_dataset(name, experiment.path.parent, bench.watcher.downloading)

    return bench.once.do("data set", load)


def samples_of(setting: Setting, bench: Bench) -> int:
    """How many each case has. Raises as `dataset_of`."""
    experiment = setting.experiment
    there = len(dataset_of(setting, bench).x_test) if experiment.dataset.is_there else MADE_UP
    return there if experiment.target.samples == "all" else min(there, int(experiment.target.samples))


def model_file(setting: Setting, model: Model, repeat: int, bench: Bench, *, again: bool = False) -> Path:
    """Model -> the file that holds it, trained. `again`: also when it was trained before."""
    if model.file and not model.is_trained:
        return model.file
    trained = Trained(setting.experiment, model, repeat, dataset_of(setting, bench), setting.trained)
    return trained.file(bench.watcher, may_train=setting.may_train, again=again)


def _model_sha256(setting: Setting, case: Case, bench: Bench) -> str:
    if case.model.OF_OTHERS:
        each = [_model_sha256(setting, network, bench) for network in case.networks]
        return hashlib.sha256("".join(each).encode()).hexdigest()
    key = ("sha256", case.model.name, case.repeat)
    return bench.once.do(key, lambda: sha256_of(model_file(setting, case.model, case.repeat, bench)))


def source_of(setting: Setting, model: Model, repeat: int, bench: Bench, rescale: Rescale = "double") -> Source:
    """The file as it is read."""

    def make() -> Source:
        path = model_file(setting, model, repeat, bench)
        bench.watcher.stage(f"reading {model.name}")
        with rescaling(rescale):
            return bench.stages.read_model(path, model.name, *((model.shapes,) if model.shapes else ()))

    return bench.once.do(("source", model.name, repeat, rescale), make)


def float_model(setting: Setting, model: Model, repeat: int, bench: Bench, how: Quantization = FLOAT) -> FloatModel:
    """File -> Source, read and fed as `how` says, and what it makes of the test samples. A proof is of the usual."""

    def make() -> FloatModel:
        if isinstance(model, Cascaded):
            each = [float_model(setting, one, repeat * one.trains, bench, how) for one in model.networks]
            return cascade_of(model, each, setting.experiment.scoring, setting.seed)
        source, chosen = source_of(setting, model, repeat, bench, how.rescale), setting.experiment
        inputs = {layer.name if len(source.graph.inputs) > 1 else "": layer.shape for layer in source.graph.inputs}
        there = dataset_of(setting, bench) if chosen.dataset.is_there else made_up(inputs, setting.seed)
        # Of random samples no score means anything: nothing is guessed.
        choice = chosen.scoring if chosen.dataset.is_there or chosen.scoring.kind else TaskChoice(kind="none")
        fitted = fit(source.graph, arrange(source, there), choice)
        dataset = fitted.dataset
        source = replace(source, graph=drop_softmax(source.graph, keep=fitted.exact))
        source = normalize(source, chosen.dataset.normalize, dataset.x_train)
        source = fed_equally(source, dataset.x_train, how)
        positions = choose(len(dataset.x_test), chosen.target.samples, dataset.y_test, setting.seed)
        x = source.normalized(dataset.x_test[positions])
        return FloatModel(source, fitted, x, positions, Answering(source.graph, x))

    return bench.once.do(("float", model.name, repeat, *how.reading), make)


def real_of(setting: Setting, case: Case, bench: Bench) -> Graph:
    """What is quantized: the model of the file without what is skipped, tuned."""

    def make() -> Graph:
        origin = float_model(setting, case.model, case.repeat, bench, case.quantization)
        dataset, memory = origin.fitted.dataset, bench.once.do("approximations", Memory)
        reduced = partial(
            reduced_graph,
            origin.source,
            dataset.x_train,
            case.quantization,
            case.approximation,
            labels=dataset.y_train,
            seed=setting.seed,
            memory=memory,
            origin=(case.model.name, case.repeat, case.quantization.rescale),
        )
        exact = partial(real_graph, origin.source, case.quantization)
        return tuned_case(setting, case, reduced, exact, origin, bench)

    return bench.once.do(("real", *case.numbers), make)


def graph_of(setting: Setting, case: Case, bench: Bench) -> Graph:
    """Quantized: what runs on whichever board, over whichever test samples."""

    def make() -> Graph:
        origin = float_model(setting, case.model, case.repeat, bench, case.quantization)
        if isinstance(case.model, Cascaded):
            graph = joined(case.model, [graph_of(setting, one, bench) for one in case.networks])
            return thresholded(graph, case.model, origin, setting.experiment.scoring, setting.seed)
        bench.watcher.stage(f"quantizing {case.model.name} as {case.quantization.label}")
        dataset = origin.fitted.dataset
        return quantized_graph(
            origin.source,
            dataset.x_train,
            case.quantization,
            labels=dataset.y_train,
            seed=setting.seed,
            real=real_of(setting, case, bench),
            approximation=case.approximation,
        )

    return bench.once.do(("graph", *case.numbers), make)


def _asked(setting: Setting, case: Case, bench: Bench) -> tuple[Array, Answering]:
    """On whichever board: inputs, and what the graph answers, as in ReadyModel."""

    def make() -> tuple[Array, Answering]:
        origin = float_model(setting, case.model, case.repeat, bench, case.quantization)
        graph = graph_of(setting, case, bench)
        answering = origin.answering if graph is origin.source.graph else Answering(graph, origin.x)
        return graph.encode(origin.x), answering

    return bench.once.do(("asked", *case.numbers), make)


def ready_model(setting: Setting, case: Case, bench: Bench) -> ReadyModel:
    """Source -> quantized Graph -> Program -> Sources."""
    target, (facts, board) = setting.experiment.target, place_of(case, bench)

    def make() -> ReadyModel:
        origin = float_model(setting, case.model, case.repeat, bench, case.quantization)
        graph, (inputs, answering) = graph_of(setting, case, bench), _asked(setting, case, bench)

        def build(library: Sources) -> Firmware:
            return bench.stages.make_firmware(library, facts, board, setting.out / case.id)

        bench.watcher.stage(f"choosing kernels for {case.model.name}, {case.quantization.label}")
        generated = generated_within(graph, origin.source, target, board, build)
        return ReadyModel(generated, inputs, answering, origin)

    destination = destination_of(board, target) if board else ANYWHERE
    return bench.once.do(("c", *case.numbers, destination), make)


def explained(setting: Setting, case: Case, bench: Bench) -> tuple[LayerNoise, ...]:
    """What quantization loses where, on the test samples. ConfigurationError for a model that was quantized before."""
    demand_explainable(float_model(setting, case.model, case.repeat, bench).source.graph, case.quantization)
    model = ready_model(setting, case, bench)
    bench.watcher.stage(f"explaining {case.model.name} as {case.quantization.label}")
    return explain(real_of(setting, case, bench), model.generated.graph, model.origin.x)


def _ranges(setting: Setting, case: Case, bench: Bench) -> tuple[LayerRange, ...]:
    """What the numbers of each layer hold; nothing of a model that mcusim did not quantize."""

    def make() -> tuple[LayerRange, ...]:
        origin = float_model(setting, case.model, case.repeat, bench, case.quantization)
        graph = graph_of(setting, case, bench)
        if case.model.OF_OTHERS or origin.source.graph.is_quantized or not graph.is_quantized:
            return ()
        samples = origin.x[choose(len(origin.x), RANGED_SAMPLES, origin.targets, setting.seed)]
        return ranges(real_of(setting, case, bench), graph, samples)

    return bench.once.do(("ranges", *case.numbers), make)


def place_of(case: Case, bench: Bench) -> tuple[Facts, Board | None]:
    """What its engine can do, and the board if that needs one."""
    return bench.stages.engines[case.engine].FACTS, bench.once.do(("board", case.board), lambda: board_of(case))


def firmware_of(setting: Setting, case: Case, bench: Bench) -> Firmware:
    """Sources -> Firmware."""

    def make() -> Firmware:
        model, (facts, board) = ready_model(setting, case, bench), place_of(case, bench)
        library = library_of(model.generated, model.origin.source, facts, setting.experiment.target, board)
        bench.watcher.stage(f"building {case.label}")
        return bench.stages.make_firmware(library, facts, board, setting.out / case.id)

    return bench.once.do(("firmware", case.id), make)


def timing_of(setting: Setting, case: Case, bench: Bench) -> Timing | None:
    """Firmware + a few samples -> cycles. First, because a run that was interrupted has its outputs, or nothing."""
    model, (facts, board) = ready_model(setting, case, bench), place_of(case, bench)
    if board is None or why_no_cycles(facts, board, setting.experiment.target):
        return None
    parameters, folder = core_of(board.chip).TIMING, setting.out / case.id
    assert parameters is not None
    target, firmware, engine = setting.experiment.target, firmware_of(setting, case, bench), case.engine
    bench.watcher.stage(f"timing {case.label}")

    def time(samples: Array) -> Timing | None:
        inputs = records(model.inputs[samples])
        job = Job(firmware.image, inputs, folder, board, target.stall_s, bench.watcher.progress, profile=True)
        counts = bench.engine(engine, setting.jobs).run(job).counts
        return time_counts(counts, firmware.elf, board, folder, parameters) if counts else None

    return timed(model, target.timing_samples, setting.seed, time)
