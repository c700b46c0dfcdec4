/* An image of another size, between its pixels: each output is a mean of four inputs, with the weights of its row and column. */
#ifndef NN_BILINEAR_RESIZE_H
#define NN_BILINEAR_RESIZE_H

#include "number.h"

typedef struct {
    int input_width, channels;
    int rows, columns; /* of the output */
} nn_bilinear_resize_t;

#if NN_NUMBER_BITS == 0
typedef float nn_resize_weight_t;
#define NN_RESIZE_ONE 1.0f
#define nn_resized(total) (total)
#else
typedef int16_t nn_resize_weight_t;
#define NN_RESIZE_ONE 1024
#define nn_resized(total) ((number_t)(((total) + ((total) > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20)))
#endif

/* `places`: of each row (column) of the output the inputs before and behind it; `weights`: of the latter. */
NN_KERNEL void NN_NAME(bilinear_resize)(const number_t *restrict input, number_t *restrict output,
                                        const int16_t *row_places, const nn_resize_weight_t *row_weights,
                                        const int16_t *column_places, const nn_resize_weight_t *column_weights,
                                        const nn_bilinear_resize_t p)
{
    for (int row = 0; row < p.rows; row++) {
        const number_t *top = input + row_places[2 * row] * p.input_width * p.channels;
        const number_t *bottom = input + row_places[2 * row + 1] * p.input_width * p.channels;
        const accumulator_t down = row_weights[row];
        for (int column = 0; column < p.columns; column++) {
            const int left = column_places[2 * column] * p.channels, right = column_places[2 * column + 1] * p.channels;
            const accumulator_t across = column_weights[column];
            for (int channel = 0; channel < p.channels; channel++) {
                const accumulator_t total =
                    top[left + channel] * (NN_RESIZE_ONE - down) * (NN_RESIZE_ONE - across) +
                    bottom[left + channel] * down * (NN_RESIZE_ONE - across) +
                    top[right + channel] * (NN_RESIZE_ONE - down) * across + bottom[right + channel] * down * across;
                *output++ = nn_resized(total);
            }
        }
    }
}

#endif
