/* Zeros for pairs of columns of all channels of the planes: the twin of nn_depthwise_zeros.S */
#ifndef NN_DEPTHWISE_ZEROS_H
#define NN_DEPTHWISE_ZEROS_H

#include "number.h"
#include "simd.h"

typedef struct {
    int channels; /* side by side */
} nn_depthwise_zeros_t;

NN_KERNEL void NN_NAME(depthwise_zeros)(void *planes, int words, const nn_depthwise_zeros_t p)
{
    for (int i = 0; i < p.channels * words; i++) {
        nn_put_word((uint8_t *)planes + 4 * i, 0);
    }
}

#endif
