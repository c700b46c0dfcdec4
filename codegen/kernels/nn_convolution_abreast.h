/* Depthwise convolution of small windows: some channels side by side, which are read where they lie. */
#ifndef NN_CONVOLUTION_ABREAST_H
#define NN_CONVOLUTION_ABREAST_H

#include "number.h"

typedef struct {
    void (*run)(const void *, const void *, void *, int);
    int blocks; /* of channels */
    int words;  /* of 4 bytes, of their weights */
} nn_abreast_part_t;

typedef struct {
    int second_channel; /* the first one of the second part, of which the first part may have some, too */
    int output_bytes;   /* of a number */
    nn_abreast_part_t first, second;
} nn_convolution_abreast_t;

/* kernel: weights of the blocks, as mcusim/kernels/abreast/ lays them */
NN_KERNEL void NN_NAME(convolution_abreast)(const number_t *restrict input, void *restrict output, const void *kernel,
                                            const nn_convolution_abreast_t p)
{
    p.first.run(input, kernel, output, p.first.blocks);
    if (p.second.blocks) {
        p.second.run(input + p.second_channel, (const uint8_t *)kernel + 4 * p.first.words,
                     (uint8_t *)output + p.second_channel * p.output_bytes, p.second.blocks);
    }
}

#endif
