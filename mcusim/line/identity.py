"""Case, and its Graph where there is one -> what a Run is, whatever becomes of it."""

from dataclasses import replace

from mcusim.experiment.case import Case
from mcusim.graph import Graph
from mcusim.line.quantize import AS_STORED
from mcusim.line.stored import IN_THE_FILE
from mcusim.reports.report import Run


def identity(case: Case) -> Run:
    """As the experiment says it."""
    chosen = case.quantization
    is_integer, own = chosen.is_quantized, chosen.layer_words.items()
    return Run(
        id=case.id,
        model=case.model.name,
        repeat=case.repeat,
        data_type=chosen.data_type,
        quantization=chosen.short_label,
        scheme="mixed" if chosen.own_layers else (chosen.format or chosen.chosen_scheme) if is_integer else "",
        layer_quantization={name: kind if kind == "float32" else f"{kind} {scheme}" for name, (kind, scheme) in own},
        ranges=chosen.ranges if is_integer else "",
        weights=chosen.weights if is_integer else "",
        equalized=chosen.equalize,
        rounding=chosen.rounding if is_integer else "",
        calibration_samples=chosen.calibration_samples if is_integer or case.approximation else None,
        variant=case.variant,
        significance=case.approximation.significance if case.approximation else "",
        compensation=case.approximation.compensation if case.approximation else "",
        tuning=case.approximation.tuning.label if case.approximation and case.approximation.tuning else "",
        board=case.board_name,
        engine=case.engine,
    )


def identity_of(case: Case, source: Graph) -> Run:
    """`source`: as read from the file, which may have numbers of its own."""
    run = identity(case)
    if source.is_quantized:
        scheme, label = f"{source.scheme}, {IN_THE_FILE}", f"{source.data_type} {AS_STORED}"
        label += " single" * (case.quantization.rescale == "single")
        found = replace(run, data_type=source.data_type, quantization=label, scheme=scheme, calibration_samples=None)
        return replace(found, layer_quantization={}, ranges="", weights="", equalized=False, rounding="")
    if case.quantization.is_quantized:
        return run
    return replace(run, data_type=source.data_type, quantization=source.data_type)
