/* Weights of 16 bits, two of a row in a word, sums of 64 bits: the twin of nn_rows_long_*.S */
#ifndef NN_ROWS_LONG_H
#define NN_ROWS_LONG_H

#include "number.h"
#include "simd.h"

typedef struct {
    int words; /* of inputs: two numbers each */
    int rows;  /* of a block */
    NN_FINISH
} nn_rows_long_t;

/* input: words; weights: blocks x (rows x (low, high), words x rows) */
NN_KERNEL void NN_NAME(rows_long)(const int16_t *input, const int32_t *weights, void *output, int blocks,
                                  const nn_rows_long_t p)
{
    for (int row = 0; row < blocks * p.rows; row++) {
        const int32_t *const block = weights + row / p.rows * (2 * p.rows + p.rows * p.words);
        const int32_t *const first = block + 2 * (row % p.rows);
        accumulator_t sum = (accumulator_t)((uint64_t)(uint32_t)first[0] | (uint64_t)(uint32_t)first[1] << 32);
        for (int word = 0; word < p.words; word++) {
            const uint32_t w = nn_word(block + 2 * p.rows + word * p.rows + row % p.rows), x = nn_word(input + 2 * word);
            sum += nn_low(w) * nn_low(x);
            sum += nn_high(w) * nn_high(x);
        }
        nn_store_at(output, row, nn_finish(sum, row, p), p.storage);
    }
}

#endif
