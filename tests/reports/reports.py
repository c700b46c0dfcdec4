"""Reports for the tests of every format."""

from __future__ import annotations

from dataclasses import replace

from mcusim.line.build import RomBytes
from mcusim.line.measure import Instructions, LayerFigures, RamBytes
from mcusim.line.score import Mismatch
from mcusim.program import Buffer
from mcusim.reports.report import Check, FloatProof, Report, Run, RunError
from mcusim.timing.timing import Cycles, ErrorPct

HOSTILE = 'a|b <script>alert(1)</script> [red]x[/red] `c` \x1b[31m \u202e "q" & \n_d_ *e* \x00'


ERROR: ErrorPct = {"median": 1.16, "p90": 5.7, "from": "39 held-out measurements of integer code on a chip, 2026-11-26"}


def good_run(model: str = "cnn", data_type: str = "int8", board: str = "nucleo_l452re_p") -> Run:
    return Run(
        id=f"{model}-{data_type}-{board}",
        model=model,
        data_type=data_type,
        scheme="" if data_type == "float32" else "per-layer",
        rounding="" if data_type == "float32" else "nearest",
        calibration_samples=None if data_type == "float32" else 1000,
        normalization="z-score (stored)",
        float_proof=FloatProof("keras 3.12.0 (tensorflow 2.20.0)", 16, 2.5e-07),
        board=board,
        engine="qemu",
        engine_version="7.2.22",
        compiler="arm-none-eabi-gcc 12.2.1",
        flags=("-O2", "-mthumb"),
        elf_sha256="ab" * 32,
        model_sha256="01" * 32,
        data_sha256="23" * 32,
        kernels_sha256="45" * 32,
        clock_hz=48_000_000,
        parameters=3958,
        macs=333_920,
        samples=2947,
        complete=True,
        task="classification",
        accuracy=0.927383780115372,
        accuracy_float=0.93,
        mismatches=0,
        output_difference_max=0.0,
        confusion=((2000, 47), (167, 733)),
        instructions=Instructions(1234567.25, 1234000, 1235000),
        rom_bytes=RomBytes(20000, 4000, 24000),
        ram_bytes=RamBytes(5000, 700, 300, 6000),
        arena_bytes=5000,
        arena_lower_bound_bytes=5000,
        arena_buffers_bytes=12000,
        layers=(LayerFigures("conv1", "Convolution", 300_000), LayerFigures("logits", "Dense", 33_920)),
        buffers=(Buffer("conv1", False, 0, 4000, 0, 1), Buffer("conv1", True, 4000, 1000, 0, 0)),
        wall_s=3.25,
        emulated_mips=800.5,
        notes=("dropped the softmax 'softmax'",),
    )


def timed(run: Run) -> Run:
    cycles = Cycles(2e6, 1_900_000, 2_100_000, 50, "modelled", "integer", ERROR)
    return replace(run, cycles=cycles, latency_ms=41.7, energy_uwh=0.1834)


def full_report() -> Report:
    """One of each: a good run, a timed one, a wrong one that broke budgets, a failed one."""
    wrong = Run(
        **{
            **vars(good_run("cnn", "int16", "sparkfun_edge")),
            "scheme": "Q7.9",
            "rounding": "floor",
            "normalization": "none",
            "float_proof": None,
            "no_float_proof": "Keras is not installed: pip install mcusim[train]",
            "repeat": 2,
            "mismatches": 3,
            "first_mismatch": Mismatch(17, 2, -5, 6),
            "output_difference_max": 0.0215,
            "notes": ("linked with RAM elsewhere",),
        }
    )
    failed = Run(
        id="cnn-int9-sparkfun_edge",
        model="cnn",
        data_type="int9",
        scheme="per-layer",
        rounding="nearest",
        board="sparkfun_edge",
        engine="qemu",
        error=RunError("EngineError", "no answer to sample 4 within 60 s", "nn_dense.h:31", "the firmware hangs"),
    )
    checks = (
        Check("accuracy_min", good_run().id, 0.9, 0.927383780115372, True),
        Check("accuracy_min", wrong.id, 0.95, 0.927383780115372, False),
        Check("rom_bytes_max", wrong.id, 20000, 24000, False),
        Check("latency_ms_max", wrong.id, 5, None, False, "this run has no latency (engine 'qemu')"),
        Check("accuracy_min", failed.id, 0.9, None, False, "the run failed: no answer to sample 4 within 60 s"),
    )
    runs = (good_run(), timed(good_run("cnn", "float32")), wrong, failed)
    return Report(1, "0.1.0", "gestures", "2026-11-21T12:00:00+00:00", 17.5, True, runs, checks)


def hostile_report() -> Report:
    run = Run(
        **{
            **vars(good_run()),
            "id": "h",
            "model": HOSTILE,
            "board": HOSTILE,
            "engine_version": HOSTILE,
            "notes": (HOSTILE,),
            "cycles": Cycles(1.0, 1, 1, 1, HOSTILE, HOSTILE, {"median": 1e300, "p90": -1.0, "from": HOSTILE}, HOSTILE),
            "first_mismatch": Mismatch(0, 0, None, 3e38),
        }
    )
    error = RunError(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    failed = Run(id="f", model=HOSTILE, data_type=HOSTILE, board="b", engine="e", error=error)
    checks = (Check(HOSTILE, "h", 1, 2.5, False, HOSTILE),)
    return Report(1, HOSTILE, HOSTILE, HOSTILE, 1.0, False, (run, failed), checks)


def empty_report() -> Report:
    return Report(1, "0.1.0", "nothing", "2026-11-21T12:00:00+00:00", 0.0, False)
