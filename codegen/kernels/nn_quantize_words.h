/* Real numbers -> affine ones, in whole words: the twin of nn_quantize_<numbers>.S */
#ifndef NN_QUANTIZE_WORDS_H
#define NN_QUANTIZE_WORDS_H

#include "nn_quantize.h"

typedef struct {
    float scale;
    int zero;
} nn_quantize_words_t;

NN_KERNEL void NN_NAME(quantize_words)(void *output, const void *input, int words, const nn_quantize_words_t p)
{
    const nn_quantize_t all = {.elements = words * (4 / (int)sizeof(number_t)), .scale = p.scale, .zero = p.zero};
    NN_NAME(quantize)((const float *)input, (number_t *)output, all);
}

#endif
