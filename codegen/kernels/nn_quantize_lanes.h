/* Real numbers -> affine ones: a routine for whole words, and what is left one by one. */
#ifndef NN_QUANTIZE_LANES_H
#define NN_QUANTIZE_LANES_H

#include "nn_quantize.h"

typedef struct {
    int elements;
    float scale;
    int zero;
    void (*read)(void *, const void *, int);
} nn_quantize_lanes_t;

NN_KERNEL void NN_NAME(quantize_lanes)(const float *restrict input, number_t *restrict output,
                                       const nn_quantize_lanes_t p)
{
    const int lanes = 4 / (int)sizeof(number_t), words = p.elements / lanes, done = words * lanes;
    if (words) {
        p.read(output, input, words);
    }
    const nn_quantize_t rest = {.elements = p.elements - done, .scale = p.scale, .zero = p.zero};
    NN_NAME(quantize)(input + done, output + done, rest);
}

#endif
