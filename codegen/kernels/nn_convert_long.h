/* The same tensor in numbers of 32 bits. */
#ifndef NN_CONVERT_LONG_H
#define NN_CONVERT_LONG_H

#include "factors.h"
#include "number.h"

#if NN_NUMBER_BITS != 0
typedef struct {
    int elements;
    int wide; /* is the input int16, and not int8? */
    int unsigned_input; /* has the input no sign? */
    int from_zero;
    nn_factor_t factor;
    int zero;
} nn_convert_long_t;

NN_KERNEL void NN_NAME(convert_long)(const void *restrict input, int32_t *restrict output, const nn_convert_long_t p)
{
    for (int i = 0; i < p.elements; i++) {
        const int32_t x = nn_number_at(input, i, p.wide, p.unsigned_input);
        output[i] = nn_scaled(x - p.from_zero, p.factor) + p.zero;
    }
}
#endif

#endif
