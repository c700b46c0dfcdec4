/* An activation of whole words: the twin of nn_limited_*.S */
#ifndef NN_LIMITED_H
#define NN_LIMITED_H

#include "number.h"

typedef struct {
    int unsigned_input; /* has the input no sign? */
    nn_activation_t activation;
    long_number_t ceiling, floor;
} nn_limited_t;

NN_KERNEL void NN_NAME(limited)(void *output, const void *x, int words, const nn_limited_t p)
{
    const number_t *const numbers = (const number_t *)x;
    number_t *const limits = (number_t *)output;
    for (int i = 0; i < words * 4 / (int)sizeof(number_t); i++) {
        limits[i] = (number_t)nn_activate(nn_read(numbers[i], p.unsigned_input), p.activation, p.floor, p.ceiling);
    }
}

#endif
