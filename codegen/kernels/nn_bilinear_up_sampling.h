/* Planes enlarged by whole factors: each output is the mean of 2x2 inputs, weighted by how near their centers are. */
#ifndef NN_BILINEAR_UP_SAMPLING_H
#define NN_BILINEAR_UP_SAMPLING_H

#include "number.h"

typedef struct {
    int input_height, input_width, channels;
    int size_height, size_width;
    NN_AVERAGING
} nn_bilinear_up_sampling_t;

/* The inputs before and behind an output position, and the weight of the latter in units of 1 / (2 size). */
typedef struct {
    int before, behind, weight;
} nn_neighbors_t;

static inline nn_neighbors_t nn_neighbors(int position, int size, int length)
{
    const int distance = 2 * position + 1 + size; /* from input -1 */
    const int before = distance / (2 * size) - 1;
    return (nn_neighbors_t){before < 0 ? 0 : before, before + 1 < length ? before + 1 : length - 1, distance % (2 * size)};
}

NN_KERNEL void NN_NAME(bilinear_up_sampling)(const number_t *restrict input, number_t *restrict output,
                                             const nn_bilinear_up_sampling_t p)
{
    const int rows = 2 * p.size_height, columns = 2 * p.size_width;
    for (int y = 0; y < p.input_height * p.size_height; y++) {
        const nn_neighbors_t vertical = nn_neighbors(y, p.size_height, p.input_height);
        const number_t *above = input + vertical.before * p.input_width * p.channels;
        const number_t *below = input + vertical.behind * p.input_width * p.channels;
        for (int x = 0; x < p.input_width * p.size_width; x++) {
            const nn_neighbors_t horizontal = nn_neighbors(x, p.size_width, p.input_width);
            const int left = horizontal.before * p.channels, right = horizontal.behind * p.channels;
            const accumulator_t far = (accumulator_t)horizontal.weight, near = (accumulator_t)columns - far;
            const accumulator_t down = (accumulator_t)vertical.weight, up = (accumulator_t)rows - down;
            for (int channel = 0; channel < p.channels; channel++) {
                const accumulator_t upper = above[left + channel] * near + above[right + channel] * far;
                const accumulator_t lower = below[left + channel] * near + below[right + channel] * far;
                *output++ = clamp_to_number_t(nn_average(upper * up + lower * down, rows * columns, p));
            }
        }
    }
}

#endif
