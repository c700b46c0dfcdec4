"""Networks of tools/networks.py -> modelled time, memory and mismatches with the kernels that are chosen for them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from mcusim.boards.load import load_board
from mcusim.system.errors import EngineError
from tools.bars.group import Group, Place
from tools.kernel_bench import Bench
from tools.kernel_runs import ANY

UCI_HAR = {"uci_har_f16": ("int8", "int16-q7.9", "float32"), "uci_har_f80": ("int8", "int16-q7.9", "float32")}
MLPERF = {name: ("int8",) for name in ("resnet_8", "ds_cnn", "autoencoder", "mobilenet_v1")}


def _measure(networks: Mapping[str, tuple[str, ...]], place: Place) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, data_types in networks.items():
        for data_type in data_types:
            (row,) = Bench([name], [data_type], [load_board("nucleo_l452re_p")], 2, ANY, place.work).rows()
            if row.ours is None:
                hint = f"python -m tools.kernel_bench --network {name} --type {data_type} tells more"
                raise EngineError(f"{name} was not measured: {row.problem}", where=data_type, hint=hint)
            figures |= {
                f"{name} {data_type} latency": row.ours.latency_ms,
                f"{name} {data_type} cycles a MAC": row.ours.cycles_per_mac,
                f"{name} {data_type} ROM": row.ours.rom_bytes,
                f"{name} {data_type} RAM": row.ours.ram_bytes,
                f"{name} {data_type} mismatches": row.mismatches,
                f"{name} {data_type} speed-up over plain C": row.speed_up,
            }
    return figures


GROUPS = (
    Group("kernels of UCI-HAR", is_long=False, is_compiled=True, measure=partial(_measure, UCI_HAR)),
    Group("kernels of MLPerf Tiny's networks", is_long=False, is_compiled=True, measure=partial(_measure, MLPERF)),
)
