"""Comparison -> JSON of format 1: docs/compare.md explains each key."""

import dataclasses
import json
from typing import Any

from mcusim.comparison.comparison import Change, Comparison, Held, LayerChange, RunComparison, Side
from mcusim.comparison.told import summary
from mcusim.comparison.wording import told
from mcusim.reports.decisions import Decisions
from mcusim.reports.report import Run

FORMAT = 1


def render(comparison: Comparison) -> str:
    document = {
        "format": FORMAT,
        "passed": not comparison.broken,
        "first": comparison.is_first,
        "summary": summary(comparison),
        "base": _side(comparison.base),
        "head": _side(comparison.head),
        "runs": [_run(run) for run in comparison.runs],
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _side(side: Side) -> dict[str, Any]:
    experiments = dict.fromkeys(report.experiment for report in side.reports)
    versions = dict.fromkeys(report.mcusim for report in side.reports)
    return {"path": str(side.path), "experiments": [*experiments], "mcusim": [*versions], "commits": [*side.commits]}


def _run(run: RunComparison) -> dict[str, Any]:
    named = {key: getattr(run.run, key) for key in ("model", "repeat", "data_type", "quantization", "board", "engine")}
    return {
        "experiment": run.experiment,
        **named,
        "state": run.state,
        "base_id": run.base.id if run.base else None,
        "head_id": run.head.id if run.head else None,
        "base_error": _error(run.base),
        "head_error": _error(run.head),
        "figures": {change.key: _change(change) for change in run.changes},
        "layers": [_layer(layer) for layer in run.layers],
        "functions": [
            {"name": one.name, "base": one.base, "head": one.head, "difference": one.head - one.base}
            for one in run.functions
        ],
        "decisions": [_decisions(found) for found in run.decisions],
        "unlike": [dataclasses.asdict(found) for found in run.unlike],
        "reasons": [*run.reasons],
        "limits": [_held(held) for held in run.held],
    }


def _error(run: Run | None) -> dict[str, Any] | None:
    return dataclasses.asdict(run.error) if run and run.error else None


def _change(change: Change) -> dict[str, Any]:
    return {
        "base": change.base,
        "head": change.head,
        "difference": change.difference,
        "relative": change.relative,
        "verdict": change.verdict,
    }


def _layer(layer: LayerChange) -> dict[str, Any]:
    one, other = (None if side is None else dataclasses.asdict(side) for side in (layer.base, layer.head))
    return {"name": layer.name, "base": one, "head": other}


def _decisions(found: Decisions) -> dict[str, Any]:
    return {
        "output": found.output,
        "samples": found.samples,
        "right_to_wrong": [*found.worse],
        "wrong_to_right": [*found.better],
        "p": found.p,
    }


def _held(held: Held) -> dict[str, Any]:
    return {
        "name": held.limit.name,
        "limit": held.limit.text,
        "figure": held.change.key,
        "passed": held.passed,
        "told": told(held),
    }
