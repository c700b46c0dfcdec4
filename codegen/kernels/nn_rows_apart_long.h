/* Bytes of a row, four in a word, inputs of 16 bits, sums of 64: the twin of nn_rows_apart_long_*.S */
#ifndef NN_ROWS_APART_LONG_H
#define NN_ROWS_APART_LONG_H

#include "number.h"
#include "simd.h"

typedef struct {
    int words; /* of inputs: two numbers each */
    int rows;  /* of a block */
    NN_FINISH
} nn_rows_apart_long_t;

/* input: words, an even number of them; weights: blocks x (rows x (low, high), words / 2 x rows, rows of factors) */
NN_KERNEL void NN_NAME(rows_apart_long)(const int16_t *input, const int32_t *weights, void *output, int blocks,
                                        const nn_rows_apart_long_t p)
{
    for (int row = 0; row < blocks * p.rows; row++) {
        const int32_t *const block = weights + row / p.rows * ((NN_RECORD + 1) * p.rows + p.rows * p.words / 2);
        const int32_t *const first = block + 2 * (row % p.rows), *const words = block + 2 * p.rows + row % p.rows;
        int64_t sum = (int64_t)((uint64_t)(uint32_t)first[0] | (uint64_t)(uint32_t)first[1] << 32);
        for (int word = 0; word < p.words; word += 2) {
            const uint32_t w = nn_word(words + word / 2 * p.rows);
            sum = nn_dual_long(nn_bytes(w, 0, 0), nn_word(input + 2 * word), sum);
            sum = nn_dual_long(nn_bytes(w, 1, 0), nn_word(input + 2 * word + 2), sum);
        }
        const int32_t held = sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : (int32_t)sum;
        const int32_t *const record = block + 2 * p.rows + p.rows * p.words / 2 + (NN_RECORD - 1) * (row % p.rows) - 1;
        nn_store_at(output, row, nn_finish_of(held, record, p), p.storage);
    }
}

#endif
