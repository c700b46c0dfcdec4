/* Bytes of two rows in each half of a word: the twin of nn_rows_paired_*.S and nn_rows_raised_*.S */
#ifndef NN_ROWS_PAIRED_H
#define NN_ROWS_PAIRED_H

#include "number.h"
#include "simd.h"

typedef struct {
    int words; /* of inputs: two numbers each */
    int rows;  /* of a block */
    int raised; /* are second rows' weights 128 larger? */
    NN_FINISH
} nn_rows_paired_t;

/* input: words, behind the two totals of nn_row_inputs; weights: blocks x (rows, words x pairs of rows, rows of factors) */
NN_KERNEL void NN_NAME(rows_paired)(const int16_t *input, const int32_t *weights, void *output, int blocks,
                                    const nn_rows_paired_t p)
{
    const uint32_t products = nn_word(input - 2);
    for (int pair = 0; pair < blocks * p.rows / 2; pair++) {
        const int32_t *const block = weights + pair / (p.rows / 2) * ((1 + NN_FACTOR_WORDS(p)) * p.rows + p.rows / 2 * p.words);
        const int first = pair % (p.rows / 2);
        int32_t both = block[2 * first], second = block[2 * first + 1];
        for (int word = 0; word < p.words; word += 2) {
            const int32_t *const weight = block + p.rows + word * (p.rows / 2) + 2 * first;
            const uint32_t x = nn_word(input + 2 * word), y = nn_word(input + 2 * word + 2);
            const uint32_t w = nn_word(weight), v = nn_word(weight + 1);
            both = nn_dual(w, x, nn_dual(v, y, both));
            second = nn_dual(nn_add_bytes(y, w, 0, p.raised), nn_add_bytes(x, v, 0, p.raised), second);
        }
        second = (int32_t)((uint32_t)second - products);
        const int32_t upper = (int32_t)((uint32_t)both - (uint32_t)second) >> 8;
        const int32_t lower = (int32_t)((uint32_t)second - (p.raised ? nn_word(input - 4) : 0));
        const int32_t *const record = block + p.rows + p.rows / 2 * p.words + NN_FACTOR_WORDS(p) * 2 * first - 1;
        nn_store_at(output, 2 * pair, nn_finish_of(upper, record, p), p.storage);
        nn_store_at(output, 2 * pair + 1, nn_finish_of(lower, record + NN_FACTOR_WORDS(p), p), p.storage);
    }
}

#endif
