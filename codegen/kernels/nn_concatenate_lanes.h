/* One input of a concatenation, some numbers at a time: its channels go to their place in each row of the output. */
#ifndef NN_CONCATENATE_LANES_H
#define NN_CONCATENATE_LANES_H

#include "lanes.h"

typedef struct {
    int rows, channels; /* at least a word of channels */
    int output_channels, offset;
    int unsigned_input; /* has the input no sign? */
    NN_CONVERSION
#if NN_NUMBER_BITS != 0
    int start; /* of pairs that nn_end_pairs ends, where pair_bits is not 0: numbers of 8 bits on another scale */
    NN_PAIRS_END
#endif
} nn_concatenate_lanes_t;

NN_PART lane_t NN_NAME(converted_lanes)(lane_t x, uint32_t bytes, const nn_concatenate_lanes_t p)
{
#if NN_NUMBER_BITS != 0
    if (p.pair_bits) {
        const uint32_t start = nn_pair(p.start, p.start);
        return nn_end_pairs(nn_add_bytes(start, x, 0, p.unsigned_input), nn_add_bytes(start, x, 1, p.unsigned_input), bytes, p);
    }
    if (p.shift) { /* numbers of 16 bits */
        int32_t numbers[NN_LANES];
        NN_UNROLLED for (int i = 0; i < NN_LANES; i++) {
            numbers[i] = nn_saturated_lane(((i ? nn_high(x) : nn_low(x)) + p.rounding) >> p.shift, NN_LINEAR, p.storage);
        }
        return nn_packed_lanes(numbers, NN_LINEAR, 0);
    }
#endif
    (void)bytes, (void)p;
    return x;
}

/* Some channels of a row */
NN_PART void NN_NAME(concatenate_words)(const number_t *input, number_t *output, const int numbers, uint32_t bytes,
                                        const nn_concatenate_lanes_t p)
{
    lane_t x[NN_BLOCK];
    NN_UNROLLED for (int i = 0; i < NN_WORDS(numbers); i++) {
        x[i] = nn_lanes(input + nn_word_place(i, numbers));
    }
    NN_UNROLLED for (int i = 0; i < NN_WORDS(numbers); i++) {
        nn_put_lanes(output + nn_word_place(i, numbers), NN_NAME(converted_lanes)(x[i], bytes, p));
    }
}

NN_KERNEL void NN_NAME(concatenate_lanes)(const number_t *restrict input, number_t *restrict output,
                                          const nn_concatenate_lanes_t p)
{
    const uint32_t bytes = nn_kept(NN_PAIR_BYTES);
    const int block = NN_BLOCK * NN_LANES, rest = p.channels % block;
    output += p.offset;
    for (int row = 0; row < p.rows; row++) {
        for (const number_t *const end = input + p.channels - rest; input < end; input += block, output += block) {
            NN_NAME(concatenate_words)(input, output, block, bytes, p);
        }
        if (rest) { /* less than a word: together with some that were there before */
            const int numbers = rest < NN_LANES ? NN_LANES : rest;
            NN_NAME(concatenate_words)(input + rest - numbers, output + rest - numbers, numbers, bytes, p);
        }
        input += rest;
        output += p.output_channels - p.channels + rest;
    }
}

#endif
