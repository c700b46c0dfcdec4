"""What others call our words in an experiment file -> our word, or what to do instead. See `suggestion`."""

# Data types, also those that there are not.
TYPE_SYNONYMS = {
    **dict.fromkeys(("float", "fp32", "f32", "single", "none"), "float32"),
    **dict.fromkeys(("i8", "s8", "int8_t", "8", "q7", "qint8", "uint8", "u8"), "int8"),
    **dict.fromkeys(("i16", "s16", "int16_t", "16", "q15", "qint16", "uint16"), "int16"),
    **dict.fromkeys(
        ("float16", "fp16", "half", "bfloat16", "bf16", "float64", "fp64", "double"),
        "the core computes in float32; int16 takes half of its memory",
    ),
    **dict.fromkeys(("16x8", "int16x8", "a16w8", "int8x16"), "w8a16"),
    **dict.fromkeys(("as_stored", "stored", "as-is", "file", "keep", "tflite", "quantized"), "as-stored"),
    **dict.fromkeys(("int32", "int64"), "the widest integer type is int16; or use float32"),
}

SCHEME_SYNONYMS = {
    **dict.fromkeys(("per_channel", "channel", "per-axis", "per_axis", "affine", "asymmetric"), "per-channel"),
    **dict.fromkeys(("per_tensor", "tensor"), "per-tensor"),
    **dict.fromkeys(("per_layer", "layer", "pot", "po2", "power_of_two", "powers-of-two", "fixed-point"), "per-layer"),
    **dict.fromkeys(("per_network", "network", "global"), "per-network"),
}

KIND_SYNONYMS = {
    **dict.fromkeys(("classify", "classifier", "binary", "multiclass", "multi-class"), "classification"),
    **dict.fromkeys(("multi-label", "multi_label", "tagging"), "multilabel"),
    **dict.fromkeys(("regress", "regressor"), "regression"),
    **dict.fromkeys(("anomaly detection", "anomaly_detection", "autoencoder", "reconstruction"), "anomaly"),
    **dict.fromkeys(("timing", "benchmark", "null"), "none"),
}

_IN_BYTES = '{} = "40 KiB"'
BUDGET_SYNONYMS = {
    **dict.fromkeys(("accuracy", "acc", "acc_min", "min_accuracy", "accuracy_minimum"), "accuracy_min"),
    **dict.fromkeys(("accuracy_drop", "drop_max", "max_drop", "accuracy_loss_max"), "accuracy_drop_max"),
    **dict.fromkeys(
        ("rom", "rom_max", "flash", "flash_max", "flash_bytes_max", "max_rom", "max_flash"), "rom_bytes_max"
    ),
    **dict.fromkeys(("ram", "ram_max", "sram_max", "sram_bytes_max", "max_ram"), "ram_bytes_max"),
    **dict.fromkeys(("rom_kb_max", "rom_kib_max", "flash_kb_max", "flash_kib_max"), _IN_BYTES.format("rom_bytes_max")),
    **dict.fromkeys(("ram_kb_max", "ram_kib_max", "sram_kb_max", "sram_kib_max"), _IN_BYTES.format("ram_bytes_max")),
    **dict.fromkeys(("latency", "latency_max", "latency_ms", "latency_max_ms", "time_ms_max"), "latency_ms_max"),
    **dict.fromkeys(("energy", "energy_max", "energy_uwh", "max_energy"), "energy_uwh_max"),
    **dict.fromkeys(("cycles", "max_cycles"), "cycles_max"),
    **dict.fromkeys(("mismatches", "max_mismatches"), "mismatches_max"),
    **dict.fromkeys(("margins", "error", "error_margin", "safety_margin", "tolerance"), "margin"),
    "mse_max": "rmse_max = .., the root of the mean squared error",
}
