"""Number systems and their C twins in codegen/numbers say the same, over their whole range."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from mcusim.numbers.formats import Format, format_for, parse_format
from mcusim.numbers.integers import average, rounding_term, shift_left
from mcusim.numbers.numbers import LINEAR, RELU, Activation, Range, Rounding
from mcusim.numbers.power_of_two import PowerOfTwoScheme, Shift
from mcusim.system.arrays import Array
from mcusim.system.assets import CODEGEN
from mcusim.system.errors import ConfigurationError
from tests.compiled import quick_linker


def compiled(folder: Path, bits: int, body: str, data: bytes = b"") -> bytes:
    """What a C program with number.h writes to its standard output."""
    (folder / "number_config.h").write_text(f"#define NN_NUMBER_BITS {bits}\n#define NN_ACCUMULATOR_BITS 32\n")
    (folder / "main.c").write_text(
        f'#include <stdio.h>\n#include "number.h"\nint main(void)\n{{\n{body}\nreturn 0;\n}}\n'
    )
    include = [f"-I{folder}", f"-I{CODEGEN / 'numbers'}"]
    flags = ["-O1", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", "-fsanitize=undefined"]
    subprocess.run(["gcc", *flags, *quick_linker(), *include, folder / "main.c", "-o", folder / "main"], check=True)
    return subprocess.run([folder / "main"], input=data, check=True, capture_output=True).stdout


@pytest.mark.parametrize("bits", [4, 8, 9, 16])
@pytest.mark.parametrize("storage", ["NN_SAME", "NN_UNSIGNED", "NN_WIDE"])
def test_finish_agrees_for_every_shift_and_activation(tmp_path: Path, bits: int, storage: str) -> None:
    sums = np.unique(
        np.concatenate(
            [np.arange(-70000, 70000, 7), *(np.array([-1, 0, 1]) + sign * 2**k for k in range(31) for sign in (-1, 1))]
        )
    ).clip(-(2**31), 2**31 - 1)
    formats = {"NN_SAME": Format(bits, 2)}
    formats |= {"NN_UNSIGNED": Format(bits, 2, signed=False), "NN_WIDE": Format(16, 2)} if bits <= 8 else {}
    fmt = formats[storage] if storage in formats else pytest.skip("narrow numbers only")
    ceiling = Activation(relu=True, ceiling=1.5)
    body = f"""
    typedef struct {{ NN_FINISH }} finish_t;
    int16_t stored[3];
    int32_t sum;
    while (fread(&sum, sizeof sum, 1, stdin) == 1) {{
        for (int shift = 0; shift < 32; shift++) {{
            const finish_t all[] = {{{{shift, NN_LINEAR, 0, {storage}, 0}}, {{shift, NN_RELU, 0, {storage}, 0}},
                                     {{shift, NN_RELU_CEILING, {ceiling.fields(fmt)["ceiling"]}, {storage}, 0}}}};
            void *next = stored;
            for (int i = 0; i < 3; i++) {{
                next = nn_store(next, nn_finish(sum, 0, all[i]), {storage});
            }}
            fwrite(stored, {fmt.dtype.itemsize}, 3, stdout);
        }}
    }}"""
    got = np.frombuffer(compiled(tmp_path, bits, body, sums.astype(np.int32).tobytes()), fmt.dtype).reshape(-1, 32, 3)
    for shift in range(32):
        for column, activation in enumerate((LINEAR, RELU, ceiling)):
            np.testing.assert_array_equal(got[:, shift, column], Shift(shift, fmt).apply(sums, activation))


@pytest.mark.parametrize("rounding", ["nearest", "floor"])
def test_average_agrees(tmp_path: Path, rounding: str) -> None:
    sums, counts = np.meshgrid(np.arange(-3000, 3000), np.arange(1, 40), indexing="ij")
    body = f"""
    for (int sum = -3000; sum < 3000; sum++) {{
        for (int count = 1; count < 40; count++) {{
            const int32_t mean = nn_mean(sum, count, {int(rounding == "nearest")});
            fwrite(&mean, sizeof mean, 1, stdout);
        }}
    }}"""
    got = np.frombuffer(compiled(tmp_path, 16, body), np.int32).reshape(sums.shape)
    np.testing.assert_array_equal(got, average(sums, counts, rounding))  # type: ignore[arg-type]
    half = 0.5 if rounding == "nearest" else 0.0
    np.testing.assert_array_equal(got, np.floor(sums / counts + half + 1e-12))


def test_shift_agrees(tmp_path: Path) -> None:
    body = """
    for (int x = -32768; x < 32768; x += 3) {
        for (int shift = -31; shift <= 15; shift++) {
            const int32_t y = nn_shift(x, shift);
            fwrite(&y, sizeof y, 1, stdout);
        }
    }"""
    x = np.arange(-32768, 32768, 3)
    got = np.frombuffer(compiled(tmp_path, 16, body), np.int32).reshape(len(x), -1)
    expected = np.stack([shift_left(x, shift) for shift in range(-31, 16)], axis=1)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    ("peak", "bits", "fraction"),
    [(1.0, 8, 6), (0.99, 8, 7), (1.99, 8, 6), (2.0, 8, 5), (0.24, 8, 9), (60.0, 16, 9), (300.0, 8, -2), (0.0, 8, 7)],
)
def test_formats_follow_section_4_1_4(peak: float, bits: int, fraction: int) -> None:
    assert format_for(peak, bits) == Format(bits, fraction)
    if peak:
        assert peak * 2.0**fraction <= 2 ** (bits - 1)
        assert peak * 2.0**fraction >= 2 ** (bits - 3)


def test_encode_rounds_and_saturates() -> None:
    x = np.array([0.5, -0.5, 0.49, 1.5, -1.5, 200.0, -200.0])
    fmt = Format(8, 0)
    np.testing.assert_array_equal(fmt.encode(x, "nearest"), [1, 0, 0, 2, -1, 127, -128])
    np.testing.assert_array_equal(fmt.encode(x, "floor"), [0, -1, 0, 1, -2, 127, -128])
    assert fmt.encode(x).dtype == np.int8
    np.testing.assert_array_equal(Format(8, 5).encode(Format(8, 5).decode(np.arange(-128, 128))), np.arange(-128, 128))
    np.testing.assert_array_equal(LINEAR.limit(np.array([300, -300]), Format(9, 3)), [255, -256])


def test_the_rounding_term_is_half_of_the_last_place() -> None:
    x: Array = np.arange(-1000, 1000)
    for shift in range(1, 8):
        rounded = shift_left(x + rounding_term(shift, "nearest"), -shift)
        np.testing.assert_array_equal(rounded, np.floor(x / 2**shift + 0.5))
    assert rounding_term(0, "nearest") == rounding_term(5, "floor") == 0


def test_format_names() -> None:
    assert parse_format("Q7.9") == Format(16, 9)
    assert str(Format(16, 9)) == "Q7.9"
    for bad in ("Q0.8", "7.9", "Q20.9", "Q1.1", "", "Q7.9; rm"):
        with pytest.raises(ConfigurationError, match="no fixed-point format"):
            parse_format(bad)


@pytest.mark.parametrize("shift", [-15, -8, -1, 0, 1, 7, 29])
@pytest.mark.parametrize("rounding", ["nearest", "floor"])
def test_conversion_agrees(tmp_path: Path, shift: int, rounding: Rounding) -> None:
    to = Format(8, 0)
    conversion = PowerOfTwoScheme(16, None, rounding).conversion(Format(16, shift), to)
    assert (conversion.shift, conversion.numbers) == (shift, to)
    body = f"""
    typedef struct {{ NN_CONVERSION }} conversion_t;
    const conversion_t p = {{{conversion.shift}, {conversion.rounding}, NN_SAME}};
    for (int x = -32768; x < 32768; x++) {{
        const number_t y = nn_convert((int16_t)x, p);
        fwrite(&y, sizeof y, 1, stdout);
    }}"""
    x: Array = np.arange(-32768, 32768).astype(np.int16)
    np.testing.assert_array_equal(np.frombuffer(compiled(tmp_path, 8, body), np.int8), conversion.apply(x))
    exact = np.clip(np.floor(x / 2.0**shift + (0.5 if rounding == "nearest" and shift > 0 else 0)), -128, 127)
    np.testing.assert_array_equal(conversion.apply(x), exact)


def test_a_range_is_widened_by_what_it_sees() -> None:
    seen = Range().widened(np.array([0.5, 2.0])).widened(np.array([-3.0, 1.0])).widened(np.array([np.nan]))
    assert (seen.low, seen.high, seen.peak) == (-3.0, 2.0, 3.0)
    assert Range().widened(np.empty(0)) == Range(0.0, 0.0)


@pytest.mark.parametrize("fraction", [-1100, -140, -127, -126, -9, 0, 7, 126, 127, 128, 140, 1020, 1030])
@pytest.mark.parametrize("bits", [4, 8, 16])
def test_products_by_a_power_of_two_round_as_ldexp(bits: int, fraction: int) -> None:
    """Also beyond float32, and where its numbers are subnormal."""
    fmt, random = Format(bits, fraction), np.random.default_rng(1)
    stored = random.integers(fmt.minimum, fmt.maximum + 1, 500)
    real = (random.normal(size=500) * 2.0 ** random.integers(-140, 120, 500)).astype(np.float32)
    real[:4] = [np.inf, -np.inf, 0, 1e-45]
    with np.errstate(all="ignore"):
        decoded = np.ldexp(stored.astype(np.float64), -fraction).astype(np.float32)
        scaled = np.floor(np.ldexp(real.astype(np.float64), fraction) + 0.5)
        encoded = np.clip(scaled, fmt.minimum, fmt.maximum).astype(fmt.dtype)
        for dtype in (fmt.dtype, np.int64):
            assert fmt.decode(stored.astype(dtype)).tobytes() == decoded.tobytes()
        assert fmt.encode(real).tobytes() == encoded.tobytes()
