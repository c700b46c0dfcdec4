/* Bytes of two rows in each half of a word, inputs of 16 bits: the twin of nn_rows_shared_*.S */
#ifndef NN_ROWS_SHARED_H
#define NN_ROWS_SHARED_H

#include "number.h"
#include "simd.h"

typedef struct {
    int words; /* of inputs: two numbers each */
    int rows;  /* of a block */
    NN_FINISH
} nn_rows_shared_t;

/* input: words; weights: blocks x (pairs of rows x (low, high, second), words x pairs of rows, rows of factors) */
NN_KERNEL void NN_NAME(rows_shared)(const int16_t *input, const int32_t *weights, void *output, int blocks,
                                    const nn_rows_shared_t p)
{
    const int pairs = p.rows / 2;
    for (int pair = 0; pair < blocks * pairs; pair++) {
        const int32_t *const block = weights + pair / pairs * (NN_FACTOR_WORDS(p) * p.rows + (3 + p.words) * pairs);
        const int32_t *const first = block + 3 * (pair % pairs), *const words = block + 3 * pairs + pair % pairs;
        int64_t both = (int64_t)((uint64_t)(uint32_t)first[0] | (uint64_t)(uint32_t)first[1] << 32);
        int32_t second = first[2];
        for (int word = 0; word < p.words; word++) {
            const uint32_t x = nn_word(input + 2 * word), w = nn_word(words + word * pairs);
            both = nn_dual_long(w, x, both);
            second = nn_dual(nn_bytes(w, 0, 0), x, second);
        }
        const int32_t upper = (int32_t)((both - second) >> 8);
        const int32_t *const record = block + (3 + p.words) * pairs + NN_FACTOR_WORDS(p) * 2 * (pair % pairs) - 1;
        nn_store_at(output, 2 * pair, nn_finish_of(upper, record, p), p.storage);
        nn_store_at(output, 2 * pair + 1, nn_finish_of(second, record + NN_FACTOR_WORDS(p), p), p.storage);
    }
}

#endif
