/* Numbers of 8 bits become numbers of 16: the twin of nn_expand_signed.S and nn_expand_unsigned.S */
#ifndef NN_EXPAND_H
#define NN_EXPAND_H

#include "number.h"
#include "simd.h"

typedef struct {
    int is_unsigned; /* have they no sign? */
    int input_zero;  /* taken off them */
    int doubled;
} nn_expand_t;

/* Of each word numbers 0 and 2, then 1 and 3 */
NN_KERNEL void NN_NAME(expand)(const void *input, int16_t *output, int words, const nn_expand_t p)
{
    for (int i = 0; i < words; i++) {
        const uint32_t word = nn_word((const uint8_t *)input + 4 * i);
        for (int odd = 0; odd < 2; odd++) {
            const uint32_t pair = nn_bytes_less(word, odd, p.is_unsigned, p.input_zero);
            nn_put_word(output + 4 * i + 2 * odd, p.doubled ? nn_pair(2 * nn_low(pair), 2 * nn_high(pair)) : pair);
        }
    }
}

#endif
