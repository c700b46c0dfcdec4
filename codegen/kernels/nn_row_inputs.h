/* Numbers of 8 bits become numbers of 16, and their sum: the twin of nn_row_inputs_signed.S and nn_row_inputs_unsigned.S */
#ifndef NN_ROW_INPUTS_H
#define NN_ROW_INPUTS_H

#include "number.h"
#include "simd.h"

typedef struct {
    int is_unsigned; /* have they no sign? */
} nn_row_inputs_t;

/* Four of them as numbers 0 and 2, then 1 and 3; -> sum + all four */
NN_KERNEL int32_t NN_NAME(four_inputs)(int16_t *output, uint32_t word, int is_unsigned, int32_t sum)
{
    const uint32_t even = nn_bytes(word, 0, is_unsigned), odd = nn_bytes(word, 1, is_unsigned);
    nn_put_word(output, even);
    nn_put_word(output + 2, odd);
    return nn_dual(even, 0x00010001u, nn_dual(odd, 0x00010001u, sum));
}

NN_KERNEL void NN_NAME(row_inputs)(const void *input, int16_t *output, int sixteens, int32_t *sum, const nn_row_inputs_t p)
{
    *sum = 0;
    for (int i = 0; i < 16 * sixteens; i += 4) {
        *sum = NN_NAME(four_inputs)(output + i, nn_word((const uint8_t *)input + i), p.is_unsigned, *sum);
    }
}

#endif
