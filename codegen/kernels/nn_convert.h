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
    const int8_t *narrow = (const int8_t *)input;
    const int16_t *wide = (const int16_t *)input;
    for (int i = 0; i < p.elements; i++) {
        const accumulator_t x = p.wide ? wide[i] : p.unsigned_input ? (uint8_t)narrow[i] : narrow[i];
        output[i] = (number_t)nn_convert(x, p);
    }
}

#endif
