/* Mean of each window, channels side by side. Padding never counts. */
#ifndef NN_AVERAGE_POOLING_LANES_H
#define NN_AVERAGE_POOLING_LANES_H

#include "lanes.h"
#include "nn_window.h"

typedef struct {
    int input_height, input_width, input_channels; /* at least a word of channels */
    int output_height, output_width;
    int window_height, window_width, stride_height, stride_width;
    int padding_top, padding_left;
    int overhang;       /* does any window hang over the edge? */
    int unsigned_input; /* has the input no sign? */
    NN_AVERAGING
    NN_LIMIT
#if NN_NUMBER_BITS != 0
    /* The mean of a whole window, exactly: offset + (sum << shift), times the reciprocal if there is one, of which the
     * high word is left, then to the right, less the base */
    int offset, reciprocal, reciprocal_shift, base;
    /* Numbers of 8 bits are added in 16: so many before they have to go on in 32 bits, 0 for all of a window */
    int taps_in_pairs;
    int start; /* of pairs that nn_end_pairs ends: means of whole windows, where pair_bits is not 0 */
    NN_PAIRS_END
#endif
} nn_average_pooling_lanes_t;

#if NN_NUMBER_BITS == 0
typedef float nn_lane_sum_t;
#define NN_SUMS 1 /* of a lane_t */
#elif NN_NUMBER_BITS <= 8
typedef uint32_t nn_lane_sum_t;
#define NN_SUMS 2 /* pairs: even and odd numbers */
#else
typedef int32_t nn_lane_sum_t;
#define NN_SUMS 2
#endif

NN_PART void NN_NAME(average_word)(nn_lane_sum_t *sums, lane_t seen, int is_unsigned)
{
    (void)is_unsigned;
#if NN_NUMBER_BITS == 0
    sums[0] += seen;
#elif NN_NUMBER_BITS <= 8
    sums[0] = nn_add_bytes(sums[0], seen, 0, is_unsigned);
    sums[1] = nn_add_bytes(sums[1], seen, 1, is_unsigned);
#else
    sums[0] += nn_low(seen);
    sums[1] += nn_high(seen);
#endif
}

/* Two words at a time: there are no registers for more */
NN_PART void NN_NAME(average_tap)(nn_lane_sum_t *sums, const number_t *tap, const int numbers, int in_loop,
                                  int is_unsigned)
{
    const int words = NN_WORDS(numbers);
    NN_UNROLLED for (int i = 0; i < words / 2; i++) {
        lane_t first = nn_lanes(tap + nn_word_place(2 * i, numbers));
        lane_t second = nn_lanes(tap + nn_word_place(2 * i + 1, numbers));
#if NN_NUMBER_BITS != 0
        if (in_loop) {
            nn_both_together(&first, &second);
        }
#else
        (void)in_loop;
#endif
        NN_NAME(average_word)(sums + 2 * i * NN_SUMS, first, is_unsigned);
        NN_NAME(average_word)(sums + (2 * i + 1) * NN_SUMS, second, is_unsigned);
    }
    if (words % 2) {
        const lane_t last = nn_lanes(tap + nn_word_place(words - 1, numbers));
        NN_NAME(average_word)(sums + (words - 1) * NN_SUMS, last, is_unsigned);
    }
}

/* `columns` taps, one beside the other */
NN_PART void NN_NAME(average_row)(nn_lane_sum_t *sums, const number_t *tap, int columns, const int numbers,
                                  const nn_average_pooling_lanes_t p)
{
    if (p.window_width <= 3 && columns == p.window_width) {
        NN_UNROLLED for (int column = 0; column < p.window_width; column++) {
            NN_NAME(average_tap)(sums, tap + column * p.input_channels, numbers, 0, p.unsigned_input);
        }
        return;
    }
    for (const number_t *const end = tap + columns * p.input_channels; tap < end; tap += p.input_channels) {
        NN_NAME(average_tap)(sums, tap, numbers, 1, p.unsigned_input);
    }
}

/* Sums of a word -> one for each of its numbers */
NN_PART void NN_NAME(average_numbers)(accumulator_t *numbers, const nn_lane_sum_t *sums)
{
#if NN_NUMBER_BITS != 0 && NN_NUMBER_BITS <= 8
    NN_UNROLLED for (int odd = 0; odd < 2; odd++) {
        numbers[odd] += nn_low(sums[odd]);
        numbers[odd + 2] += nn_high(sums[odd]);
    }
#else
    NN_UNROLLED for (int i = 0; i < NN_LANES; i++) {
        numbers[i] += sums[i];
    }
#endif
}

/* Constants of nn_average_pooling_lanes_t that stay in registers */
typedef struct {
    uint32_t bytes;
    int32_t offset, base;
} nn_average_kept_t;

/* Means of `count` numbers, limited and as they are stored */
NN_PART lane_t NN_NAME(average_means)(const accumulator_t *sums, int count, const nn_average_kept_t kept,
                                     const nn_average_pooling_lanes_t p)
{
    (void)kept;
#if NN_NUMBER_BITS == 0
    return nn_limit(nn_average(sums[0], count, p), p);
#else
    int32_t means[NN_LANES];
    NN_UNROLLED for (int i = 0; i < NN_LANES; i++) {
#ifdef NN_OWN_MEANS
        means[i] = nn_limit(nn_average(sums[i], count, p), p);
    }
    return nn_packed_lanes(means, NN_LINEAR, 0);
#else
        if (count == p.window_height * p.window_width) {
            const int32_t scaled = (int32_t)nn_shift(sums[i], p.shift) + kept.offset;
            const int32_t high = (int32_t)((int64_t)scaled * p.reciprocal >> 32);
            means[i] = ((p.reciprocal ? high : scaled) >> p.reciprocal_shift) - kept.base;
        } else {
            means[i] = (int32_t)nn_average(sums[i], count, p);
        }
        means[i] = nn_saturated_lane(means[i], p.activation, p.storage);
    }
    return nn_packed_lanes(means, p.activation, p.ceiling);
#endif
#endif
}

/* `numbers` channels of a window */
NN_PART void NN_NAME(average_window)(const number_t *corner, number_t *output, int rows, int columns,
                                     const int numbers, const nn_average_kept_t kept,
                                     const nn_average_pooling_lanes_t p)
{
    const int count = rows * columns;
    nn_lane_sum_t sums[NN_SUMS * NN_BLOCK];
    accumulator_t whole[NN_LANES * NN_BLOCK] = {0};
    (void)kept;
#if NN_NUMBER_BITS != 0 && NN_NUMBER_BITS <= 8
    if (p.taps_in_pairs) {
        for (int row = 0; row < rows; row++) {
            for (int column = 0; column < columns; column += p.taps_in_pairs) {
                const int taps = columns - column < p.taps_in_pairs ? columns - column : p.taps_in_pairs;
                NN_UNROLLED for (int i = 0; i < NN_SUMS * NN_BLOCK; i++) {
                    sums[i] = 0;
                }
                NN_NAME(average_row)(sums, corner + column * p.input_channels, taps, numbers, p);
                NN_UNROLLED for (int i = 0; i < NN_WORDS(numbers); i++) {
                    NN_NAME(average_numbers)(whole + NN_LANES * i, sums + NN_SUMS * i);
                }
            }
            corner += p.input_width * p.input_channels;
        }
    } else
#endif
    {
#if NN_NUMBER_BITS != 0
        const nn_lane_sum_t start = count == p.window_height * p.window_width ? (nn_lane_sum_t)(p.start * 0x00010001) : 0;
#else
        const nn_lane_sum_t start = 0;
#endif
        NN_UNROLLED for (int i = 0; i < NN_SUMS * NN_BLOCK; i++) {
            sums[i] = start;
        }
        for (int row = 0; row < rows; row++) {
            NN_NAME(average_row)(sums, corner, columns, numbers, p);
            corner += p.input_width * p.input_channels;
        }
#if NN_NUMBER_BITS != 0
        if (p.pair_bits && count == p.window_height * p.window_width) {
            NN_UNROLLED for (int i = 0; i < NN_WORDS(numbers); i++) {
                nn_put_lanes(output + nn_word_place(i, numbers), nn_end_pairs((uint32_t)sums[2 * i], (uint32_t)sums[2 * i + 1], kept.bytes, p));
            }
            return;
        }
#endif
        NN_UNROLLED for (int i = 0; i < NN_WORDS(numbers); i++) {
            NN_NAME(average_numbers)(whole + NN_LANES * i, sums + NN_SUMS * i);
        }
    }
    NN_UNROLLED for (int i = 0; i < NN_WORDS(numbers); i++) {
        nn_put_lanes(output + nn_word_place(i, numbers), NN_NAME(average_means)(whole + NN_LANES * i, count, kept, p));
    }
}

/* All channels of a window, `rows` x `columns` of whose taps are inside the plane */
NN_PART void NN_NAME(average_channels)(const number_t *corner, number_t *output, int rows, int columns,
                                       const nn_average_kept_t kept, const nn_average_pooling_lanes_t p)
{
    const int block = NN_BLOCK * NN_LANES;
    const int rest = p.input_channels % block;
    for (const number_t *const end = corner + p.input_channels - rest; corner < end; corner += block, output += block) {
        NN_NAME(average_window)(corner, output, rows, columns, block, kept, p);
    }
    if (rest) { /* less than a word: together with some that were there before */
        const int numbers = rest < NN_LANES ? NN_LANES : rest;
        NN_NAME(average_window)(corner + rest - numbers, output + rest - numbers, rows, columns, numbers, kept, p);
    }
}

NN_KERNEL void NN_NAME(average_pooling_lanes)(const number_t *restrict input, number_t *restrict output,
                                              const nn_average_pooling_lanes_t p)
{
#if NN_NUMBER_BITS == 0
    const nn_average_kept_t kept = {0};
#else
    const nn_average_kept_t kept = {nn_kept(NN_PAIR_BYTES), p.offset ? (int32_t)nn_kept((uint32_t)p.offset) : 0,
                                    p.base ? (int32_t)nn_kept((uint32_t)p.base) : 0};
#endif
    for (int y = 0; y < p.output_height; y++) {
        const nn_range_t rows = nn_range(y * p.stride_height - p.padding_top, p.window_height, p.input_height);
        for (int x = 0; x < p.output_width; x++) {
            const nn_range_t columns = nn_range(x * p.stride_width - p.padding_left, p.window_width, p.input_width);
            const int corner = (rows.start + rows.first) * p.input_width + columns.start + columns.first;
            NN_NAME(average_channels)(input + corner * p.input_channels, output,
                                      p.overhang ? rows.end - rows.first : p.window_height,
                                      p.overhang ? columns.end - columns.first : p.window_width, kept, p);
            output += p.input_channels;
        }
    }
}

#endif
