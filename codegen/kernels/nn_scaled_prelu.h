/* A slope for negative affine numbers, one for each channel or each element, as TensorFlow Lite Micro. May work in place. */
#ifndef NN_SCALED_PRELU_H
#define NN_SCALED_PRELU_H

#include "factors.h"
#include "number.h"

#if NN_NUMBER_BITS != 0
typedef struct {
    int rows, slopes;
    int from_zero, zero;
    nn_factor_t kept, leaked;
} nn_scaled_prelu_t;

NN_KERNEL void NN_NAME(scaled_prelu)(
    const number_t *input, number_t *output, const int16_t *kernel, const nn_scaled_prelu_t p)
{
    for (int row = 0; row < p.rows; row++) {
        for (int i = 0; i < p.slopes; i++) {
            const int32_t x = *input++ - p.from_zero;
            const int32_t y = x >= 0 ? nn_scaled(x, p.kept) : nn_scaled(x * kernel[i], p.leaked);
            *output++ = clamp_to_number_t((accumulator_t)y + p.zero);
        }
    }
}
#endif

#endif
