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
    const int8_t *narrow = (const int8_t *)input;
    const int16_t *wide = (const int16_t *)input;
    for (int i = 0; i < p.elements; i++) {
        const int32_t x = p.wide ? wide[i] : p.unsigned_input ? (uint8_t)narrow[i] : narrow[i];
        output[i] = p.scale * (float)(x - p.zero);
    }
}

#endif
