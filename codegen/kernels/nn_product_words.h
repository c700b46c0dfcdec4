/* Products of two arrays, in whole words: the twin of nn_product_*.S */
#ifndef NN_PRODUCT_WORDS_H
#define NN_PRODUCT_WORDS_H

#include "number.h"

typedef struct {
    unsigned unsigned_inputs; /* bit 0: has x no sign? bit 1: has y none? */
    NN_PRODUCT
} nn_product_words_t;

NN_KERNEL void NN_NAME(product_words)(void *output, const void *x, const void *y, int words, const nn_product_words_t p)
{
    for (int i = 0; i < words * 4 / (int)sizeof(number_t); i++) {
        const long_number_t one = nn_read(((const number_t *)x)[i], p.unsigned_inputs & 1);
        const long_number_t other = nn_read(((const number_t *)y)[i], p.unsigned_inputs >> 1 & 1);
        ((number_t *)output)[i] = (number_t)nn_product(one, other, p);
    }
}

#endif
