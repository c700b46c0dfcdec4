/* Bytes of a row, four in a word: the twin of nn_rows_apart_*.S */
#ifndef NN_ROWS_APART_H
#define NN_ROWS_APART_H

#include "number.h"
#include "simd.h"

typedef struct {
    int words; /* of inputs: two numbers each */
    int rows;  /* of a block */
    NN_FINISH
} nn_rows_apart_t;

/* input: words, an even number of them; weights: blocks x (rows, words / 2 x rows, rows of factors) */
NN_KERNEL void NN_NAME(rows_apart)(const int16_t *input, const int32_t *weights, void *output, int blocks,
                                   const nn_rows_apart_t p)
{
    for (int row = 0; row < blocks * p.rows; row++) {
        const int32_t *const block = weights + row / p.rows * ((1 + NN_FACTOR_WORDS(p)) * p.rows + p.rows * p.words / 2);
        int32_t sum = block[row % p.rows];
        for (int word = 0; word < p.words; word += 2) {
            const uint32_t w = nn_word(block + p.rows + word / 2 * p.rows + row % p.rows);
            sum = nn_dual(nn_bytes(w, 0, 0), nn_word(input + 2 * word), sum);
            sum = nn_dual(nn_bytes(w, 1, 0), nn_word(input + 2 * word + 2), sum);
        }
        const int32_t *const record = block + p.rows + p.rows * p.words / 2 + NN_FACTOR_WORDS(p) * (row % p.rows) - 1;
        nn_store_at(output, row, nn_finish_of(sum, record, p), p.storage);
    }
}

#endif
