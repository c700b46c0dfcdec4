/* Some filters x some positions of a direct convolution, words of two numbers: the twin of nn_direct_*.S */
#ifndef NN_DIRECT_TILE_H
#define NN_DIRECT_TILE_H

#include "nn_direct_block.h"
#include "number.h"
#include "simd.h"

typedef struct {
    int filters, positions; /* of a tile */
    int taps, stride;       /* of a row of the window */
    int words;              /* pairs of channels */
    int column_bytes;       /* from one column of the input to the next */
    int outputs;            /* of a position */
    int weights_pitch;      /* bytes from one row of the window to the next */
    int shift_in_block;
    NN_FINISH
} nn_direct_tile_t;

/* The sum of one filter at the position whose window begins at `input` */
NN_KERNEL accumulator_t NN_NAME(direct_sum)(const uint8_t *input, const uint8_t *weights, accumulator_t sum, int rows,
                                            int row_bytes, const nn_direct_tile_t p)
{
    for (int row = 0; row < rows; row++) {
        for (int tap = 0; tap < p.taps; tap++) {
            const uint8_t *const column = input + row * row_bytes + tap * p.column_bytes;
            const uint8_t *const weight = weights + row * p.weights_pitch + 4 * tap * p.words;
            for (int word = 0; word < p.words; word++) {
                const uint32_t x = nn_word(weight + 4 * word), y = nn_word(column + 4 * word);
                sum = sizeof sum == 8 ? (accumulator_t)nn_dual_long(x, y, sum) : nn_dual(x, y, (int32_t)sum);
            }
        }
    }
    return sum;
}

NN_KERNEL void NN_NAME(direct_tile)(const void *input, const int16_t *weights, void *output,
                                    const accumulator_t *bias, const int32_t *block, nn_direct_tile_t p)
{
    const uint8_t *column = (const uint8_t *)input;
    uint8_t *out = (uint8_t *)output;
    const int bytes = p.storage == NN_WIDE ? (int)sizeof(int16_t) : (int)sizeof(number_t);
    if (p.shift_in_block) {
        nn_set_shift(p, block[NN_BLOCK_SHIFT]);
    }
    for (int row = 0; row < block[NN_BLOCK_ROWS]; row++) {
        for (int position = 0; position < block[NN_BLOCK_TILES] * p.positions; position++) {
            for (int filter = 0; filter < p.filters; filter++) {
                const uint8_t *const own = (const uint8_t *)weights + 4 * filter * p.taps * p.words;
                const accumulator_t *const record = bias + NN_RECORD * filter;
                const accumulator_t sum = NN_NAME(direct_sum)(column, own, record[0], block[NN_BLOCK_WINDOW_ROWS],
                                                        block[NN_BLOCK_ROW_BYTES], p);
                nn_store_at(out, filter, nn_finish_of(sum, record, p), p.storage);
            }
            column += p.stride * p.column_bytes;
            out += p.outputs * bytes;
        }
        column += block[NN_BLOCK_NEXT_INPUT];
        out += block[NN_BLOCK_NEXT_OUTPUT];
    }
}

#endif
