/* Products of two arrays, in whole words: the twin of nn_product_*.S */
#ifndef NN_PRODUCT_WORDS_H
#define NN_PRODUCT_WORDS_H

#include "number.h"

typedef struct {
    NN_PRODUCT
} nn_product_words_t;

NN_KERNEL void NN_NAME(product_words)(void *output, const void *x, const void *y, int words, const nn_product_words_t p)
{
    for (int i = 0; i < words * 4 / (int)sizeof(number_t); i++) {
        ((number_t *)output)[i] = (number_t)nn_product(((const number_t *)x)[i], ((const number_t *)y)[i], p);
    }
}

#endif
