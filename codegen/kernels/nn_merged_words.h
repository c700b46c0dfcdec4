/* Two arrays at one scale, in whole words: sums, differences, the larger or smaller. The twin of nn_scaled_sum_*.S, nn_extreme_*.S */
#ifndef NN_MERGED_WORDS_H
#define NN_MERGED_WORDS_H

#include "nn_merge.h"

typedef struct {
    nn_operation_t operation;
    int reversed;             /* does y come first? */
    unsigned unsigned_inputs; /* bit 0: has x no sign? bit 1: has y none? */
    NN_ADDITION
} nn_merged_words_t;

NN_KERNEL void NN_NAME(merged_words)(void *output, const void *x, const void *y, int words, const nn_merged_words_t p)
{
    const number_t *const inputs[2] = {(const number_t *)x, (const number_t *)y};
    for (int i = 0; i < words * 4 / (int)sizeof(number_t); i++) {
        const accumulator_t one = nn_addend(nn_read(inputs[0][i], p.unsigned_inputs & 1), 0, p);
        const accumulator_t other = nn_addend(nn_read(inputs[1][i], p.unsigned_inputs >> 1 & 1), 1, p);
        const accumulator_t sum = nn_merged(p.reversed ? other : one, p.reversed ? one : other, p.operation);
        ((number_t *)output)[i] = (number_t)nn_finish(sum, 0, p);
    }
}

#endif
