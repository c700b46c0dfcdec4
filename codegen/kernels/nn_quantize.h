/* Real numbers -> affine ones, halves away from zero. */
#ifndef NN_QUANTIZE_H
#define NN_QUANTIZE_H

#include "number.h"

typedef struct {
    int elements;
    float scale;
    int zero;
} nn_quantize_t;

/* Beyond what a number holds everything saturates, long before 32 bits end; what is no number becomes the lowest. */
static inline int32_t nn_rounded(float x)
{
    const float limited = x > 65536.0f ? 65536.0f : x > -65536.0f ? x : -65536.0f;
    const int32_t whole = (int32_t)limited;
    const float rest = limited - (float)whole;
    return whole + (rest >= 0.5f) - (rest <= -0.5f);
}

NN_KERNEL void NN_NAME(quantize)(const float *restrict input, number_t *restrict output, const nn_quantize_t p)
{
    for (int i = 0; i < p.elements; i++) {
        output[i] = clamp_to_number_t(nn_rounded(input[i] / p.scale) + p.zero);
    }
}

#endif
