/* Affine numbers -> real ones. */
#ifndef NN_DEQUANTIZE_H
#define NN_DEQUANTIZE_H

#include "number.h"

typedef struct {
    int elements;
    int wide;           /* is the input int16, and not int8? */
    int unsigned_input; /* has the input no sign? */
    float scale;
    int zero;
} nn_dequantize_t;

NN_KERNEL void NN_NAME(dequantize)(const void *restrict input, float *restrict output, const nn_dequantize_t p)
{
    for (int i = 0; i < p.elements; i++) {
        const int32_t x = nn_number_at(input, i, p.wide, p.unsigned_input);
        output[i] = p.scale * (float)(x - p.zero);
    }
}

#endif
