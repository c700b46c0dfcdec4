"""Run -> figures of what is inside: its layers, and how the run went. `figures.py` has all others."""

from mcusim.tasks.figure import Figure, Row

INSIDE = (
    Row("layers", "the layers of the program, in running order"),
    Row("layers[].name", "name in the Keras model"),
    Row("layers[].kind", "kind after optimization"),
    Row("layers[].macs", "as `macs`"),
    Row("layers[].kernel", "kernel that ran it, as in `kernels`"),
    Row(
        "layers[].variant",
        "how that kernel traded cycles for memory: `4 stripes`, `compact`, `code in RAM`, as `mcusim kernels` says;"
        " null: it did not",
    ),
    Row("layers[].data_type", "of its output: that of the run, but for layers that were given another"),
    Row(
        "layers[].numbers", "what its output's stand for: `Q4.4`, `int8 0.0738 (q +9)` is 0.0738 (q + 9); null of reals"
    ),
    Row("layers[].weight_numbers", "likewise: `Q1.7`, `int8 0.004 q`, `int8, 80 scales`; null without weights"),
    Row(
        "layers[].cycles",
        "of the layer's function and what it calls, mean over the timed samples; null as `cycles`",
        unit="cycles",
    ),
    Row("layers[].cycles_per_mac", "`layers[].cycles` over `layers[].macs`; null without either", unit="cycles"),
    Row("layers[].share", "of `cycles.mean`; null likewise", unit="share"),
    Row(
        "layers[].code_bytes",
        "flash of the layer's function and of its routines in assembly, read from the ELF; what several layers call is "
        "of the first; null as `rom_bytes`",
        unit="bytes",
    ),
    Row("layers[].weight_bytes", "flash of its constant arrays, likewise", unit="bytes"),
    Row("buffers", "what lies where in the arena, as planned, and how long; [] in reports of older versions"),
    Row("buffers[].name", "layer whose output it is, or whose scratch memory"),
    Row("buffers[].scratch", "is it memory that the layer needs while it runs?"),
    Row("buffers[].offset_bytes", "from the arena's first byte on", unit="bytes"),
    Row("buffers[].size_bytes", "rounded up to whole words", unit="bytes"),
    Row(
        "buffers[].first",
        "layer that writes it: an index into `layers`; what is written in place begins there, and ends"
        " what was there before",
    ),
    Row("buffers[].last", "the last layer that reads it, likewise"),
    Row(
        "quantized",
        "each layer of a model that mcusim quantized, on 50 of the test samples: what its numbers hold, and what it "
        "would need; empty for others",
    ),
    Row("quantized[].name", "as `layers[].name`, and the model's inputs"),
    Row("quantized[].low", "smallest number of the model before quantization; null where none is finite"),
    Row("quantized[].high", "largest, likewise"),
    Row("quantized[].holds_low", "smallest that the layer's integers stand for; null of reals"),
    Row("quantized[].holds_high", "largest, likewise"),
    Row(
        "quantized[].beyond",
        "of the numbers of the model before quantization, those that saturate: further than half a step beyond these; "
        "null likewise",
        unit="share",
    ),
    Row(
        "quantized[].so_far_db",
        "signal to noise behind the layer, with it and all before it quantized; null where there is no noise",
        unit="dB",
    ),
    Row("wall_s", "time that the engine took; of a merged run the sum of its parts", unit="s"),
    Figure(
        "emulated_mips",
        "executed instructions, harness included, over `wall_s`; null for `host`",
        unit="10^6/s",
        noisy=True,
    ),
    Row("cached", "is this what an earlier run of the same firmware, samples and engine saw, which `--cache` kept?"),
    Row("part", "of a shard's run: what it has of its case, for `mcusim merge`; null in the report of a whole run"),
    Row("part.first", "first of its samples, in the order of a whole run"),
    Row("part.end", "the one behind its last"),
    Row("part.of", "how many samples the whole run has", unit="samples"),
    Row(
        "part.sha256",
        "digest of `shard.part` in the folder of the run, which tells what they answered; null: it failed",
    ),
    Row("notes", "what a reader should know, such as a memory map that is not the board's"),
    Row(
        "error",
        "why the run has no figures, or only those of `samples` before a board was in trouble, or why they are not "
        "to be trusted: another engine found others; else null",
    ),
    Row(
        "error.kind",
        "class of the error: `ModelError`, `DataError`, `BuildError`, `TooBigError` (does not fit), `EngineError`, ..",
    ),
    Row("error.message", "what is wrong"),
    Row("error.where", "where"),
    Row("error.hint", "one thing to do"),
)
