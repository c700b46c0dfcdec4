/* An output whose numbers lie in the input at regular distances: axes in another order, a part, repetitions. */
#ifndef NN_STRIDED_COPY_H
#define NN_STRIDED_COPY_H

#include "number.h"

typedef struct {
    int sizes[5];   /* of the output, the last axis moves fastest */
    int strides[5]; /* from one number of the input to the next along each of them */
    int offset;     /* of the first */
} nn_strided_copy_t;

NN_KERNEL void NN_NAME(strided_copy)(const number_t *restrict input, number_t *restrict output, const nn_strided_copy_t p)
{
    for (int a = 0; a < p.sizes[0]; a++) {
        for (int b = 0; b < p.sizes[1]; b++) {
            for (int c = 0; c < p.sizes[2]; c++) {
                for (int d = 0; d < p.sizes[3]; d++) {
                    const int first = p.offset + a * p.strides[0] + b * p.strides[1] + c * p.strides[2] + d * p.strides[3];
                    for (int e = 0; e < p.sizes[4]; e++) {
                        *output++ = input[first + e * p.strides[4]];
                    }
                }
            }
        }
    }
}

#endif
