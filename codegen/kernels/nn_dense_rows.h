/* Dense layers of integers: the inputs become numbers of 16 bits once, then some rows of weights at a time are multiplied. */
#ifndef NN_DENSE_ROWS_H
#define NN_DENSE_ROWS_H

#include "nn_row_inputs.h"
#include "number.h"
#include "simd.h"

typedef struct {
    void (*products)(const int16_t *, const int32_t *, void *, int);
    int blocks; /* of rows that are multiplied at a time */
    int units;  /* of all these blocks */
    int words;  /* of their weights */
} nn_row_part_t;

typedef struct {
    int inputs, units;
    int unsigned_input; /* has the input no sign? */
    int output_bytes;   /* of a number */
    int words;          /* of two inputs each, zeros at their end */
    int end_bytes;      /* they end at a multiple of it */
    int totals;         /* of the inputs, as nn_row_inputs makes them: 2, 1 or none */
    void (*expand)(const void *, int16_t *, int);                    /* inputs, by words; NULL where that does not pay */
    void (*expand_and_sum)(const void *, int16_t *, int, int32_t *); /* likewise, sixteen bytes at a time, with totals */
    nn_row_part_t first, second;
} nn_dense_rows_t;

/* One word of inputs */
NN_KERNEL void NN_NAME(row_word)(int16_t *x, uint32_t word, int32_t *totals, const nn_row_inputs_t p)
{
    if (sizeof(number_t) == 1) {
        NN_NAME(four_inputs)(x, word, totals, p);
    } else {
        nn_put_word(x, word);
    }
}

/* Inputs as numbers of 16 bits, bytes of each four 0 and 2, then 1 and 3; zeros at their end. In front of them the totals */
NN_KERNEL void NN_NAME(row_vector)(int16_t *x, const number_t *input, const nn_dense_rows_t p)
{
    const int step = 4 / (int)sizeof(number_t), whole = p.inputs / step * step;
    const nn_row_inputs_t own = {p.unsigned_input, p.totals};
    int32_t totals[2] = {0, 0};
    int done = 0;
    if (p.expand_and_sum) {
        done = p.inputs / 16 * 16;
        p.expand_and_sum(input, x, p.inputs / 16, totals);
    } else if (p.expand) {
        done = whole;
        p.expand(input, x, whole / step);
    }
    for (int i = done; i < whole; i += step) {
        NN_NAME(row_word)(x + i, nn_word(input + i), totals, own);
    }
    if (whole < p.inputs) {
        uint32_t last = 0;
        memcpy(&last, input + whole, (size_t)(p.inputs - whole) * sizeof(number_t));
        NN_NAME(row_word)(x + whole, last, totals, own);
    }
    if (p.totals) {
        nn_put_word(x - 2, (uint32_t)totals[1]);
    }
    if (p.totals == 2) {
        nn_put_word(x - 4, (uint32_t)totals[0]);
    }
}

/* kernel: blocks of rows, as `products` wants them. The second part is that of the last units, some of which the first has too;
 * where a block has more rows than there are units it has the last one more than once. */
NN_KERNEL void NN_NAME(dense_rows)(const number_t *restrict input, void *restrict output, void *scratch,
                                   const int32_t *kernel, const nn_dense_rows_t p)
{
    int16_t *const x = (int16_t *)NN_ALIGN_UP((uint8_t *)scratch + 4 * (p.totals + p.words), p.end_bytes) - 2 * p.words;
    NN_NAME(row_vector)(x, input, p);
    if (p.units < p.first.units) {
        int16_t block[16] NN_ALIGNED; /* or so many of 8 bits */
        p.first.products(x, kernel, block, 1);
        const size_t size = (size_t)(p.units * p.output_bytes); /* less than a block has, which -O0 does not see */
        memcpy(output, block, size < sizeof block ? size : sizeof block);
        return;
    }
    p.first.products(x, kernel, output, p.first.blocks);
    if (p.second.blocks) {
        uint8_t *const end = (uint8_t *)output + p.units * p.output_bytes;
        p.second.products(x, kernel + p.first.words, end - p.second.units * p.output_bytes, p.second.blocks);
    }
}

#endif
