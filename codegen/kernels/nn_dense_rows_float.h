/* Dense layers of float32, some rows of weights at a time. */
#ifndef NN_DENSE_ROWS_FLOAT_H
#define NN_DENSE_ROWS_FLOAT_H

#include "number.h"

typedef struct {
    void (*products)(const float *, const float *, float *, int);
    int blocks;  /* of rows that are multiplied at a time */
    int units;   /* of all these blocks */
    int numbers; /* of their weights and biases */
} nn_float_part_t;

typedef struct {
    int units;
    nn_float_part_t first, second;
} nn_dense_rows_float_t;

/* kernel: blocks of rows, as `products` wants them. The second part is that of the last units, some of which the first has too. */
NN_KERNEL void NN_NAME(dense_rows_float)(const float *restrict input, float *restrict output, const float *kernel,
                                         const nn_dense_rows_float_t p)
{
    p.first.products(input, kernel, output, p.first.blocks);
    if (p.second.blocks) {
        p.second.products(input, kernel + p.first.numbers, output + p.units - p.second.units, p.second.blocks);
    }
}

#endif
