/* Weights of 16 bits, two of a row in a word: the twin of nn_rows_halfwords_*.S */
#ifndef NN_ROWS_HALFWORDS_H
#define NN_ROWS_HALFWORDS_H

#include "number.h"
#include "simd.h"

typedef struct {
    int words; /* of inputs: two numbers each */
    int rows;  /* of a block */
    NN_FINISH
} nn_rows_halfwords_t;

/* input: words; weights: blocks x (rows, words x rows, rows of factors) */
NN_KERNEL void NN_NAME(rows_halfwords)(const int16_t *input, const int32_t *weights, void *output, int blocks,
                                       const nn_rows_halfwords_t p)
{
    for (int row = 0; row < blocks * p.rows; row++) {
        const int32_t *const block = weights + row / p.rows * ((1 + NN_FACTOR_WORDS(p)) * p.rows + p.rows * p.words);
        int32_t sum = block[row % p.rows];
        for (int word = 0; word < p.words; word++) {
            sum = nn_dual(nn_word(block + p.rows + word * p.rows + row % p.rows), nn_word(input + 2 * word), sum);
        }
        const int32_t *const record = block + p.rows + p.rows * p.words + NN_FACTOR_WORDS(p) * (row % p.rows) - 1;
        nn_store_at(output, row, nn_finish_of(sum, record, p), p.storage);
    }
}

#endif
