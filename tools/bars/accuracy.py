"""UCI-HAR's whole test set on the shipped networks -> what quantization loses, in points of accuracy."""

from __future__ import annotations

from collections.abc import Mapping

from tools.bars import experiments
from tools.bars.group import Group, NotHere, Place

FILTERS = (16, 80)
EXPERIMENT = """
[dataset]
file = "{data}"
normalize = "z-score"
[[model]]
name = "f{filters}"
file = "{model}"
[[quantization]]
data_type = "int8"
[[quantization]]
data_type = "w8a16"
[[quantization]]
data_type = "int8"
scheme = "power-of-two"
[target]
boards = ["nucleo_l452re_p"]
timing_samples = 50
"""


def _measure(place: Place) -> Mapping[str, float]:
    data = place.data / "uci_har.npz" if place.data else None
    if data is None or not data.is_file():
        raise NotHere("--data names no folder with uci_har.npz")
    figures: dict[str, float] = {}
    for filters in FILTERS:
        model = experiments.ROOT / "examples" / "uci_har" / f"resnetv1_6_f{filters}.keras"
        text = EXPERIMENT.format(data=data.resolve(), filters=filters, model=model)
        for run in experiments.run(f"f{filters}", text, place.work):
            scales = "powers of two" if run["quantization"] == "int8 per-layer" else "own scales"
            name = f"uci_har_f{filters} {run['data_type']} {scales}"
            figures[f"{name} loss"] = 100 * (run["accuracy_float"] - run["accuracy"])
            figures[f"{name} latency"] = run["latency_ms"]
            figures[f"{name} mismatches"] = run["mismatches"]
    return figures


GROUPS = (Group("accuracy of UCI-HAR", is_long=True, is_compiled=True, measure=_measure),)
