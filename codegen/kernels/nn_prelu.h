/* A slope for negative numbers, one for each channel or each element. May work in place. */
#ifndef NN_PRELU_H
#define NN_PRELU_H

#include "number.h"

typedef struct {
    int rows, slopes;
    int input_zero; /* what stands for 0 */
    NN_FINISH
} nn_prelu_t;

#if NN_NUMBER_BITS == 0
NN_KERNEL void NN_NAME(prelu)(const number_t *input, number_t *output, const weight_t *kernel, const nn_prelu_t p)
{
    for (int row = 0; row < p.rows; row++) {
        for (int i = 0; i < p.slopes; i++) {
            const number_t x = *input++;
            *output++ = nn_finish(x < 0.0f ? kernel[i] * x : x, i, p);
        }
    }
}
#else
/* After the slopes comes 1, at their scale, for what is not negative. */
NN_KERNEL void NN_NAME(prelu)(const number_t *input, number_t *output, const weight_t *kernel,
                              const accumulator_t *bias, const nn_prelu_t p)
{
    for (int row = 0; row < p.rows; row++) {
        for (int i = 0; i < p.slopes; i++) {
            const number_t x = *input++;
            const int slope = x < p.input_zero ? i : p.slopes;
            *output++ = (number_t)nn_finish((accumulator_t)kernel[slope] * x + bias[slope], slope, p);
        }
    }
}
#endif

#endif
