/* Dense layers of integers: the inputs become numbers of 16 bits once, then some rows of weights at a time are multiplied. */
#ifndef NN_DENSE_ROWS_H
#define NN_DENSE_ROWS_H

#include "nn_row_inputs.h"
#include "number.h"
#include "simd.h"

typedef struct {
    void (*products)(const int16_t *, const int32_t *, void *, int32_t, int);
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
    void (*expand)(const void *, int16_t *, int);                    /* inputs, by words; NULL where that does not pay */
    void (*expand_and_sum)(const void *, int16_t *, int, int32_t *); /* likewise, sixteen bytes at a time */
    nn_row_part_t first, second;
} nn_dense_rows_t;

/* One word of inputs; -> sum + all of them, where they are bytes */
NN_KERNEL int32_t NN_NAME(row_word)(int16_t *x, uint32_t word, int is_unsigned, int32_t sum)
{
    if (sizeof(number_t) == 1) {
        return NN_NAME(four_inputs)(x, word, is_unsigned, sum);
    }
    nn_put_word(x, word);
    return sum;
}

/* Inputs as numbers of 16 bits, bytes of each four 0 and 2, then 1 and 3; zeros at their end. -> the sum of bytes, where
 * it is wanted */
NN_KERNEL int32_t NN_NAME(row_vector)(int16_t *x, const number_t *input, const nn_dense_rows_t p)
{
    const int step = 4 / (int)sizeof(number_t), whole = p.inputs / step * step;
    int32_t sum = 0;
    int done = 0;
    if (p.expand_and_sum) {
        done = p.inputs / 16 * 16;
        p.expand_and_sum(input, x, p.inputs / 16, &sum);
    } else if (p.expand) {
        done = whole;
        p.expand(input, x, whole / step);
    }
    for (int i = done; i < whole; i += step) {
        sum = NN_NAME(row_word)(x + i, nn_word(input + i), p.unsigned_input, sum);
    }
    if (whole < p.inputs) {
        uint32_t last = 0;
        memcpy(&last, input + whole, (size_t)(p.inputs - whole) * sizeof(number_t));
        sum = NN_NAME(row_word)(x + whole, last, p.unsigned_input, sum);
    }
    return sum;
}

/* kernel: blocks of rows, as `products` wants them. The second part is that of the last units, some of which the first has too;
 * where a block has more rows than there are units it has the last one more than once. */
NN_KERNEL void NN_NAME(dense_rows)(const number_t *restrict input, void *restrict output, void *scratch,
                                   const int32_t *kernel, const nn_dense_rows_t p)
{
    int16_t *const x = (int16_t *)NN_ALIGN_UP((uint8_t *)scratch + 4 * p.words, p.end_bytes) - 2 * p.words;
    const int32_t total = 128 * NN_NAME(row_vector)(x, input, p);
    if (p.units < p.first.units) {
        uint32_t block[8];
        p.first.products(x, kernel, block, total, 1);
        const size_t size = (size_t)(p.units * p.output_bytes); /* less than a block has, which -O0 does not see */
        memcpy(output, block, size < sizeof block ? size : sizeof block);
        return;
    }
    p.first.products(x, kernel, output, total, p.first.blocks);
    if (p.second.blocks) {
        uint8_t *const end = (uint8_t *)output + p.units * p.output_bytes;
        p.second.products(x, kernel + p.first.words, end - p.second.units * p.output_bytes, total, p.second.blocks);
    }
}

#endif
