/* output = activation(kernel x input + bias) */
#ifndef NN_DENSE_H
#define NN_DENSE_H

#include "number.h"

typedef struct {
    int inputs, units;
    int unsigned_input; /* has the input no sign? */
    NN_FINISH
} nn_dense_t;

/* kernel: units x inputs; bias: at the scale of the sums */
NN_KERNEL void NN_NAME(dense)(const number_t *restrict input, void *restrict output, const weight_t *kernel,
                              const accumulator_t *bias, const nn_dense_t p)
{
    for (int unit = 0; unit < p.units; unit++) {
        const weight_t *weights = kernel + unit * p.inputs;
        accumulator_t sum = bias[unit];
        for (int i = 0; i < p.inputs; i++) {
            sum += (accumulator_t)weights[i] * nn_read(input[i], p.unsigned_input);
        }
        output = nn_store(output, nn_finish(sum, unit, p), p.storage);
    }
}

#endif
