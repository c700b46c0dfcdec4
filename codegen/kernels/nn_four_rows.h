/* A matrix times a vector, four rows at a time: the twin of nn_four_rows_*.S */
#ifndef NN_FOUR_ROWS_H
#define NN_FOUR_ROWS_H

#include "number.h"

typedef struct {
    int columns; /* a multiple of 4 */
} nn_four_rows_t;

/* weights: of four rows together, and of four columns of each; those of 8 bits as columns 0, 2, 1, 3 */
NN_KERNEL void NN_NAME(four_rows)(int32_t *sums, const int16_t *input, const void *weights, const int32_t *bias,
                                  int groups, const nn_four_rows_t p)
{
    const number_t *weight = (const number_t *)weights;
    for (int row = 0; row < 4 * groups; row++) {
        sums[row] = bias[row];
    }
    for (int group = 0; group < groups; group++, sums += 4) {
        for (int block = 0; block < p.columns; block += 4) {
            for (int row = 0; row < 4; row++) {
                for (int i = 0; i < 4; i++) {
                    const int column = sizeof(number_t) == 1 && (i == 1 || i == 2) ? 3 - i : i;
                    sums[row] += *weight++ * input[block + column];
                }
            }
        }
    }
}

#endif
