/* As nn_dense.h, but sums begin at the last input: no index is compared with anything but 0. */
#ifndef NN_DENSE_COUNTDOWN_H
#define NN_DENSE_COUNTDOWN_H

#include "number.h"

typedef struct {
    int inputs, units;
    int unsigned_input; /* has the input no sign? */
    NN_FINISH
} nn_dense_countdown_t;

/* kernel: units x inputs; bias: at the scale of the sums */
NN_KERNEL void NN_NAME(dense_countdown)(const number_t *restrict input, void *restrict output, const number_t *kernel,
                                        const accumulator_t *bias,
                                        const nn_dense_countdown_t p)
{
    for (int unit = 0; unit < p.units; unit++) {
        accumulator_t sum = bias[unit];
        for (int i = p.inputs; i-- > 0;) {
            sum += (accumulator_t)kernel[unit * p.inputs + i] * nn_read(input[i], p.unsigned_input);
        }
        output = nn_store(output, nn_finish(sum, unit, p), p.storage);
    }
}

#endif
