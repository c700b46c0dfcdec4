/* Numbers of 8 bits become numbers of 16, and what sums of rows are freed from: the twin of nn_row_inputs_*.S */
#ifndef NN_ROW_INPUTS_H
#define NN_ROW_INPUTS_H

#include "number.h"
#include "simd.h"

typedef struct {
    int is_unsigned; /* have they no sign? */
    int totals;      /* 2: both, 1: the second alone */
} nn_row_inputs_t;

/* Four of them as numbers 0 and 2, then 1 and 3. totals: 128 x their sum, and the products of 0 and 1, 2 and 3, are added */
NN_KERNEL void NN_NAME(four_inputs)(int16_t *output, uint32_t word, int32_t *totals, const nn_row_inputs_t p)
{
    const uint32_t even = nn_bytes(word, 0, p.is_unsigned), odd = nn_bytes(word, 1, p.is_unsigned);
    nn_put_word(output, even);
    nn_put_word(output + 2, odd);
    if (p.totals == 2) {
        totals[0] = nn_dual(even, 0x00800080u, nn_dual(odd, 0x00800080u, totals[0]));
    }
    if (p.totals) {
        totals[1] = nn_dual(even, odd, totals[1]);
    }
}

NN_KERNEL void NN_NAME(row_inputs)(const void *input, int16_t *output, int sixteens, int32_t *totals, const nn_row_inputs_t p)
{
    totals[0] = p.totals == 2 ? 0 : totals[0];
    totals[1] = 0;
    for (int i = 0; i < 16 * sixteens; i += 4) {
        NN_NAME(four_inputs)(output + i, nn_word((const uint8_t *)input + i), totals, p);
    }
}

#endif
