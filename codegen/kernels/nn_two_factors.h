/* ReLU and LeakyReLU of affine numbers that are rescaled: one factor from 0 on, another below. May work in place. */
#ifndef NN_TWO_FACTORS_H
#define NN_TWO_FACTORS_H

#include "factors.h"
#include "number.h"

#if NN_NUMBER_BITS != 0
typedef struct {
    int elements;
    int from_zero, zero;
    nn_factor_t kept, leaked;
    int sign; /* of what leaks; 0 when nothing does */
} nn_two_factors_t;

NN_KERNEL void NN_NAME(two_factors)(const number_t *input, number_t *output, const nn_two_factors_t p)
{
    for (int i = 0; i < p.elements; i++) {
        const int32_t x = input[i] - p.from_zero;
        const int32_t y = x >= 0 ? nn_scaled(x, p.kept) : p.sign * nn_scaled(x, p.leaked);
        output[i] = clamp_to_number_t((accumulator_t)y + p.zero);
    }
}
#endif

#endif
