/* The same tensor in numbers of another width. */
#ifndef NN_CONVERT_H
#define NN_CONVERT_H

#include "number.h"

typedef struct {
    int elements;
    int wide; /* is the input int16, and not int8? */
    int unsigned_input; /* has the input no sign? */
    NN_CONVERSION
} nn_convert_t;

NN_KERNEL void NN_NAME(convert)(const void *restrict input, number_t *restrict output, const nn_convert_t p)
{
    for (int i = 0; i < p.elements; i++) {
        const accumulator_t x = nn_number_at(input, i, p.wide, p.unsigned_input);
        output[i] = (number_t)nn_convert(x, p);
    }
}

#endif
