/* Depthwise convolution: 4 channels at a time become planes of numbers of 16 bits, in which pairs of columns lie side by
 * side, so that one instruction multiplies two taps. Windows up to 7 x 7, strides 1 and 2, any padding.
 */
#ifndef NN_CONVOLUTION_DEPTHWISE_H
#define NN_CONVOLUTION_DEPTHWISE_H

#include "nn_depthwise_spread.h"
#include "number.h"

typedef struct {
    int input_height, input_width, input_channels;
    int output_height, output_width, output_channels;
    int window_height, window_width, stride_height, stride_width;
    int padding_top, padding_left;
    int unsigned_input; /* has the input no sign? */
    int output_bytes;   /* of a number */
    int multiplier;     /* filters of an input channel */
    int stripe;         /* rows of outputs at a time */
    int words;          /* of a row of the planes: pairs of columns */
    int filter_words;   /* of weights: pairs of taps of a filter */
    int rest_column;    /* the first one that `rest` computes */
    void (*zeros)(int16_t *, int); /* none when all rows of the planes are there */
    void (*spread)(const void *, int16_t *, int);
    void (*weights)(const void *, int16_t *, int); /* none when they stay in registers */
    void (*tiles)(const int16_t *, const void *, void *, const int32_t *, int);
    void (*rest)(const int16_t *, const void *, void *, const int32_t *, int);
} nn_convolution_depthwise_t;

/* All outputs of some filters, from planes, to where the first of them begins */
NN_KERNEL void NN_NAME(depthwise_filters)(const int16_t *planes, const void *weights, uint8_t *output,
                                          const int32_t *bias, int filters, const nn_convolution_depthwise_t p)
{
    if (p.tiles) {
        p.tiles(planes, weights, output, bias, filters);
    }
    if (p.rest) {
        p.rest(planes + NN_PLANE_PLACE(p.rest_column * p.stride_width, 0), weights,
               output + p.rest_column * p.output_channels * p.output_bytes, bias, filters);
    }
}

/* Rows of the input, from row `top` on, which may lie above it, as planes of 4 channels from `input` on */
NN_KERNEL void NN_NAME(depthwise_planes)(const number_t *input, int16_t *planes, int top, int rows, int borders,
                                         const nn_convolution_depthwise_t p)
{
    const int pitch = p.words * NN_PLANES * 2;
    const int bottom = top + rows;
    const int above = top >= 0 ? 0 : top + rows > 0 ? -top : rows; /* rows of zeros */
    const int below = bottom <= p.input_height ? 0 : bottom - p.input_height < rows - above ? bottom - p.input_height : rows - above;
    const int first = top + above, end = bottom - below;
    if (p.zeros && borders && above) {
        p.zeros(planes, above * p.words);
    }
    if (p.zeros && borders && below) {
        p.zeros(planes + (end - top) * pitch, below * p.words);
    }
    if (end == first) {
        return;
    }
    input += first * p.input_width * p.input_channels;
    planes += (first - top) * pitch;
    p.spread(input, planes, end - first);
}

/* kernel: filters x pairs of taps, as mcusim/kernels/depthwise_window.py packs them; bias: at the scale of the sums */
NN_KERNEL void NN_NAME(convolution_depthwise)(const number_t *restrict input, void *restrict output, void *scratch,
                                              const number_t *kernel, const int32_t *bias,
                                              const nn_convolution_depthwise_t p)
{
    const int rows = (p.stripe - 1) * p.stride_height + p.window_height;
    int16_t *const planes = (int16_t *)scratch, *const ready = planes + rows * p.words * NN_PLANES * 2;
    for (int top = 0; top < p.output_height; top += p.stripe) {
        /* The last stripe computes some rows again, rather than some that are not there. */
        const int y = top + p.stripe < p.output_height ? top : p.output_height - p.stripe;
        uint8_t *const row = (uint8_t *)output + y * p.output_width * p.output_channels * p.output_bytes;
        for (int channel = 0; channel < p.input_channels; channel += NN_PLANES) {
            /* The last planes may hold some channels again: they are taken four by four. */
            const int last = p.input_channels < NN_PLANES ? 0 : p.input_channels - NN_PLANES;
            const int first = channel < last ? channel : last;
            const int count = p.input_channels - channel < NN_PLANES ? p.input_channels - channel : NN_PLANES;
            const int filter = channel * p.multiplier;
            NN_NAME(depthwise_planes)(input + first, planes, y * p.stride_height - p.padding_top, rows, channel == 0, p);
            const void *weights = kernel + 2 * filter * p.filter_words;
            int filter_bytes = 2 * p.filter_words * (int)sizeof(number_t);
            if (p.weights) {
                p.weights(weights, ready, count * p.multiplier * filter_bytes / 4);
                weights = ready;
                filter_bytes = 4 * p.filter_words;
            }
            const int calls = p.multiplier == 1 ? 1 : count, filters = p.multiplier == 1 ? count : p.multiplier;
            for (int i = 0; i < calls; i++) {
                NN_NAME(depthwise_filters)(planes + 2 * (channel - first + i),
                                           (const uint8_t *)weights + i * p.multiplier * filter_bytes,
                                           row + (filter + i * p.multiplier) * p.output_bytes,
                                           bias + filter + i * p.multiplier, filters, p);
            }
        }
    }
}

#endif
