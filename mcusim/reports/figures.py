"""Run -> figures: one row for each number, read by whoever shows, limits or documents it.

Tables for people, JUnit properties, the keys of report.json, budgets with `Expect`, keywords of Robot Framework and
the tables of docs/report.md and docs/experiment.md follow from these rows. A number of a task has its row in the task's
module. (The module lies here because the root of mcusim/ shows the line and the families only.)
"""

from collections.abc import Mapping

from mcusim.reports.inside import INSIDE
from mcusim.reports.of_cascade import CASCADE
from mcusim.tasks import TASKS
from mcusim.tasks.figure import Budget, Figure, Row, decimals

_count = "{:,.0f}".format


def _kib(size: int) -> str:
    return f"{size / 1024:,.1f}"


WHO_RAN = (
    Row("id", "unique in the report; name of the run's folder in `--out`, where its sources and firmware lie"),
    Row("model", "name in the experiment file"),
    Row("repeat", "0 for the first training, 1 for the one with seed + 1, .."),
    Row(
        "data_type",
        "`float32`, `int4` .. `int16`, or `w8a16`; `as-stored` when the model could not be read",
        junit=True,
    ),
    Row(
        "quantization",
        "the data type, and what of [[quantization]] differs from the default: `int8 max rounded`, `int8 as-stored`",
    ),
    Row(
        "scheme",
        "`per-layer`, `per-channel`, `per-tensor`, `mixed` with layers of other data types, or one format for all: "
        "`Q7.9`; `affine, as in the file` of a model that is quantized in its file; empty for float32",
        junit=True,
    ),
    Row("layer_quantization", "data type and scheme of layers that have others, by name: `w8a16 per-channel`"),
    Row("ranges", "`mse`, `max`, `percentile` or `kl`: how scales were chosen; empty as `rounding`", junit=True),
    Row("weights", "`fitted` to the sums they are in, or `rounded` each for itself; empty likewise", junit=True),
    Row("equalized", "were channels made alike across layers before?", junit=True),
    Row("rounding", "`nearest` or `floor`; empty for float32, and for numbers of the file", junit=True),
    Row(
        "calibration_samples",
        "training samples, at most, that chose the scales, and what is skipped; null for float32 that is exact, and "
        "for numbers of the file",
        unit="samples",
    ),
    Row(
        "approximation",
        'what is skipped, by kind and layer: `{"channels": {"conv1": 8}}` (docs/approximation.md); {} of what is exact',
    ),
    Row("variant", "name of its [[approximation]]; empty where there is but one", junit=True),
    Row("significance", "how skipped channels were chosen (docs/approximation.md); empty of what is exact", junit=True),
    Row("compensation", "what made up for what is skipped; empty likewise", junit=True),
    Row(
        "tuning",
        "steps, epochs, and rate, by which what is left learned to answer like the exact one; empty likewise",
        junit=True,
    ),
    Row(
        "normalization",
        "what became of raw samples: `none`, `z-score (stored)` with statistics that the model's file keeps, or "
        "`z-score (training set)`; null when the run failed",
        junit=True,
    ),
    Row(
        "float_proof",
        "proof that the model is the one of the file: its framework ran some test samples, and no layer computes "
        "anything else but for rounding, which is none of integers (that would be an error); null without one",
    ),
    Row("float_proof.against", "the framework: `keras 3.12.0 (tensorflow 2.20.0)`"),
    Figure("float_proof.samples", "that it ran: 16 of the test samples, fewer of very large models", unit="samples"),
    Figure("float_proof.max_difference", "largest absolute difference of any output of the model", better="lower"),
    Row("no_float_proof", "why there is none; null where there is one"),
    Row(
        "kernels",
        "kernels that ran, in the order of the layers, each once (docs/kernels.md); `plain` is portable C",
        junit=True,
    ),
    Row("board", "board; `host` when it ran on the build machine"),
    Row("engine", "what executed the firmware", junit=True),
    Row("engine_version", "its version, as it tells it", junit=True),
    Row("compiler", "first line of the compiler's `--version`", junit=True),
    Row("flags", "flags that the model's code was compiled with"),
    Row("elf_sha256", "digest of the firmware that ran", junit=True),
    Row(
        "model_sha256",
        "digest of the model's file, trained or given; weights in other files than that are no part of it",
    ),
    Row("data_sha256", "digest of the test samples that were to be run and of their targets, as the data set has them"),
    Row("kernels_sha256", "digest of the generated code of the model, C and assembly, without its weights"),
    Row("clock_hz", "clock of the board; null for `host`", unit="Hz", junit=True),
    Row(
        "clock_hz_measured",
        "of a real board: cycles of its core in a second of this machine; null where nobody measured it. One that is "
        "3 % from `clock_hz` is an error",
        unit="Hz",
    ),
)

OF_TASKS: tuple[Row, ...] = tuple(dict.fromkeys(row for task in TASKS for row in task.FIGURES))

# Numbers of the tasks come first, what explains them last.
SCORES = (
    Figure("parameters", "trained numbers of the model after optimization"),
    Figure("macs", "multiply-accumulates for one sample, taps on padding included; from shapes"),
    Figure("samples", "test samples that were run", unit="samples"),
    Row("complete", "false when the run was interrupted, or failed"),
    Row("task", f"what the outputs are scored as: {', '.join(f'`{task.NAME}`' for task in TASKS)}"),
    Row("scores", "numbers of the task that have no key of their own, by name; of several outputs the worst"),
    Row(
        "scores_float",
        "the same of the model before quantization, computed in NumPy; {} of one that is quantized in its file",
    ),
    *(row for row in OF_TASKS if isinstance(row, Figure)),
    Figure(
        "mismatches",
        "integers: any output differs from what the quantized model computes in NumPy. float32: another class is "
        "decided, or of other tasks a number is off by 1e-4 of the largest; or one is not finite although it should be",
        unit="samples",
        word="mismatches",
        heading="mismatches",
        show=_count,
        expected=0,
        better="lower",
        budget=Budget(
            "mismatches_max",
            "whole",
            lacks="comparison with the expected outputs",
            doc="samples whose outputs are not those of the model: 0",
        ),
    ),
    Row("first_mismatch", "the first of them; null when there is none"),
    Row("first_mismatch.sample", "its index in the test set"),
    Row("first_mismatch.output", "index of the first output that differs (float32: that differs most)"),
    Row("first_mismatch.expected", "what it should be: raw integers, or a float; null when not finite"),
    Row("first_mismatch.got", "what the firmware answered, likewise"),
    Figure(
        "output_difference_max",
        "largest absolute difference of any output in real units; null when one is not finite",
        better="lower",
    ),
    *(row for row in OF_TASKS if not isinstance(row, Figure)),
    Row(
        "worst",
        "the 12 samples, at most, that are answered worst; empty without labels, or for several outputs",
    ),
    Row("worst[].sample", "its index in the test set"),
    Row("worst[].label", "its class, or of regression the number that it should be"),
    Row("worst[].answered", "likewise, of the firmware's answer; of an anomaly its score"),
    Row(
        "worst[].by",
        "classification: how far the output of the decided class is above that of the label, an only one beyond its "
        "threshold, multilabel likewise, before a softmax that was dropped; regression: the absolute error; anomaly: "
        "the share of samples of the other kind that are ranked as if it were one of them",
    ),
    Row(
        "outputs",
        "of a model with several outputs, each of them (`first_mismatch.output` counts through all); empty for one",
    ),
    Row("outputs[].name", "name of the output's layer"),
    Row("outputs[].task", "as `task`"),
    Row("outputs[].accuracy", "as `accuracy`, which is the worst of them", unit="share"),
    Row("outputs[].scores", "as `scores`"),
    Row("outputs[].mismatches", "as `mismatches`, in this output", unit="samples"),
    Row("outputs[].output_difference_max", "as `output_difference_max`, in this output"),
    Row("outputs[].right", "as `right`, which is null for several outputs"),
    Row("outputs[].confusion", "as `confusion`, which is null for several outputs", unit="samples"),
    Row("outputs[].classes", "as `classes`, which is empty for several outputs"),
    Row("outputs[].worst", "as `worst`, likewise"),
)

TIME = (
    Row(
        "instructions",
        "for one sample, from the first instruction of `cnn()` to its return; counted, exact",
        unit="instructions",
    ),
    Figure(
        "instructions.mean",
        "over the samples",
        unit="instructions",
        heading="instructions",
        show=_count,
        unless="latency_ms",
        better="lower",
    ),
    Figure("instructions.min", "", unit="instructions", better="lower"),
    Figure("instructions.max", "", unit="instructions", better="lower"),
    Row(
        "cycles",
        "of `cnn()`, modelled from executed instructions (docs/timing.md), or counted by a board; "
        "null where the engine or the chip gives none",
        unit="cycles",
    ),
    Figure(
        "cycles.mean",
        "for one sample",
        unit="cycles",
        word="cycles",
        better="lower",
        budget=Budget("cycles_max", "positive", lacks="cycles", doc="cycles for one sample, in the mean"),
    ),
    Figure("cycles.min", "", unit="cycles", better="lower"),
    Figure("cycles.max", "", unit="cycles", better="lower"),
    Figure("cycles.samples", "that were timed", unit="samples"),
    Row(
        "cycles.how",
        "`modelled`, `measured` (on silicon) or `counted` (by the counter of what stood in for a board)",
        junit=True,
    ),
    Row(
        "cycles.first",
        "of the first call after a reset, with cold caches, which was made again: none of `cycles.samples`; of several "
        "boards the slowest; null where nothing is measured",
        unit="cycles",
    ),
    Row(
        "cycles.window",
        "what the counter goes on by around an empty model, which `cycles` are without; null where it is not known",
        unit="cycles",
    ),
    Row(
        "cycles.kind",
        "of the code that ran, by what it did: `integer` or `float`, and where a tenth of the work is of them "
        "`flash-bound`, `slow-ram`, `ram-code` (docs/timing.md); null where nobody looked",
        junit=True,
    ),
    Row(
        "cycles.error_pct",
        "how far the model was off on silicon, in programs of that kind that it was not fitted to: it is that of "
        "`cycles`, `latency_ms` and `energy_uwh`; null without such programs",
    ),
    Row(
        "cycles.no_error_pct",
        "why there is no `cycles.error_pct`, and what to do about it; null where there is one",
        junit=True,
    ),
    Row("no_cycles", "why `cycles`, and with them latency and energy, are null; null where they are not"),
    Figure(
        "latency_ms",
        "`cycles.mean` at `clock_hz_measured`, else at `clock_hz`; null without cycles",
        unit="ms",
        word="latency",
        heading="latency ms",
        show=decimals(2),
        better="lower",
        budget=Budget("latency_ms_max", "positive", lacks="latency", doc="ms for one sample"),
    ),
    Figure(
        "cycles.error_pct.median",
        "half of these programs were not off by more",
        unit="%",
        heading="± %",
        show="{:.1f}".format,
        better="lower",
    ),
    Figure("cycles.error_pct.p90", "nine of ten were not off by more", unit="%", better="lower"),
    Row("cycles.error_pct.from", "how many programs that were, on which chips, and when predicted", junit=True),
    *CASCADE,
)

ENERGY = (
    Figure(
        "energy_uwh",
        "`latency_ms` at the board's supply voltage and current, or what a meter saw; null without cycles",
        unit="uWh",
        word="energy",
        heading="energy uWh",
        show=decimals(4),
        better="lower",
        budget=Budget("energy_uwh_max", "positive", lacks="energy", doc="uWh for one sample"),
    ),
    Row("energy_how", "`measured` by a meter; null where it follows from the current of the board's file", junit=True),
    Row(
        "energy_window",
        "what the meter went by: `pin`, from edge to edge of a pin of the board; `repeats`, the mean power of two "
        "seconds times `latency_ms`; null without a meter",
    ),
)

SIZE = (
    Row("rom_bytes", "flash that the firmware takes, read from its ELF; null for `host`", unit="bytes"),
    Figure(
        "rom_bytes.code",
        "everything but weights: model, harness, start-up, initial values",
        unit="bytes",
        better="lower",
    ),
    Figure("rom_bytes.weights", "constant arrays of the model", unit="bytes", better="lower"),
    Figure(
        "rom_bytes.total",
        "their sum",
        unit="bytes",
        word="ROM",
        heading="ROM KiB",
        show=_kib,
        better="lower",
        budget=Budget("rom_bytes_max", "bytes", lacks="ROM size", doc='bytes of flash: 40_000, or "40 KiB"'),
    ),
    Row("ram_bytes", "RAM that the firmware uses; null for `host`", unit="bytes"),
    Figure("ram_bytes.arena", "buffers of the model, read from the ELF", unit="bytes", better="lower"),
    Figure(
        "ram_bytes.static",
        "all other variables, input and output of the model among them; read from the ELF",
        unit="bytes",
        better="lower",
    ),
    Figure(
        "ram_bytes.stack",
        "deepest use of the stack over all samples: it was painted before; null when interrupted",
        unit="bytes",
        better="lower",
    ),
    Figure(
        "ram_bytes.total",
        "their sum; null without a stack",
        unit="bytes",
        word="RAM",
        heading="RAM KiB",
        show=_kib,
        better="lower",
        budget=Budget("ram_bytes_max", "bytes", lacks="RAM size", doc="bytes of RAM: arena, other variables and stack"),
    ),
    Figure("arena_bytes", "arena as planned", unit="bytes", better="lower"),
    Figure(
        "arena_lower_bound_bytes",
        "the largest sum of buffers alive at the same time: no plan can do with less",
        unit="bytes",
    ),
    Figure("arena_buffers_bytes", "what the buffers would take side by side", unit="bytes"),
)

ROWS: tuple[Row, ...] = (*WHO_RAN, *SCORES, *TIME, *ENERGY, *SIZE, *INSIDE)
OF_CYCLES = (
    *("cycles.mean", "latency_ms", "energy_uwh", "cascade.latency_p95_ms", "cascade.latency_worst_ms"),
)  # what there is not without cycles
FIGURES: Mapping[str, Figure] = {row.key: row for row in ROWS if isinstance(row, Figure)}

# The keys of a run in the order of the file: who ran, what came out, how big, how it went.
RUN_KEYS: tuple[str, ...] = tuple(dict.fromkeys(row.place for row in ROWS if not (isinstance(row, Figure) and row.of)))
PROPERTIES: tuple[Row, ...] = tuple(row for row in ROWS if row.junit)

# People read how good and how big before how fast.
_FOR_PEOPLE: tuple[Row, ...] = (*SCORES, *SIZE, *TIME, *ENERGY)
COLUMNS: tuple[Figure, ...] = tuple(row for row in _FOR_PEOPLE if isinstance(row, Figure) and row.heading)
BUDGETS: Mapping[str, tuple[Budget, Figure]] = {
    row.budget.name: (row.budget, row)
    for row in (*SCORES, *TIME, *SIZE, *ENERGY)
    if isinstance(row, Figure) and row.budget
}


def _called(figure: Figure) -> str:
    """As its budget; one without, by its key, of which the total or the mean is meant."""
    of_budget = figure.budget.name.rpartition("_")[0] if figure.budget else ""
    return of_budget or figure.key.removesuffix(".total").removesuffix(".mean")


# What [regress], --max-rise and --max-drop can limit: figures that can get worse, by a name of one word.
REGRESS: Mapping[str, Figure] = {
    name: row for row in FIGURES.values() if row.better and not row.noisy and "." not in (name := _called(row))
}
