/* Depthwise convolution: 4 channels at a time become planes, from which many outputs are computed at a time. In planes of
 * integers pairs of columns lie side by side, so that one instruction multiplies two taps. Windows up to 7 x 7, strides 1
 * and 2, any padding.
 */
#ifndef NN_CONVOLUTION_DEPTHWISE_H
#define NN_CONVOLUTION_DEPTHWISE_H

#include "number.h"

#define NN_PLANE_CHANNELS 4 /* side by side */

typedef struct {
    int input_height, input_width, input_channels;
    int output_height, output_width, output_channels;
    int window_height, window_width, stride_height, stride_width;
    int padding_top, padding_left;
    int output_bytes;  /* of a number */
    int multiplier;    /* filters of an input channel */
    int stripe;        /* rows of outputs at a time */
    int words;         /* of 4 bytes, that a channel has in a row of the planes */
    int channel_bytes; /* from a channel of the planes to the next */
    int filter_bytes;  /* of the weights of a filter */
    int ready_words;   /* of 4 bytes, that these take in RAM */
    int rest_column;   /* the first output of a row that `rest` computes */
    int rest_bytes;    /* from the first column of the planes to the first one that it needs */
    void (*zeros)(void *, int); /* none when all rows of the planes are there */
    void (*spread)(const void *, void *, int);
    void (*weights)(const void *, int16_t *, int); /* none when they stay in registers */
    void (*tiles)(const void *, const void *, void *, const void *, int);
    void (*rest)(const void *, const void *, void *, const void *, int);
} nn_convolution_depthwise_t;

/* All outputs of some filters, from planes, to where the first of them begins */
NN_KERNEL void NN_NAME(depthwise_filters)(const uint8_t *planes, const uint8_t *weights, uint8_t *output,
                                          const uint8_t *bias, int filters, const nn_convolution_depthwise_t p)
{
    if (p.tiles) {
        p.tiles(planes, weights, output, bias, filters);
    }
    if (p.rest) {
        uint8_t *const column = output + p.rest_column * p.output_channels * p.output_bytes;
        p.rest(planes + p.rest_bytes, weights, column, bias, filters);
    }
}

/* Rows of the input, from row `top` on, which may lie above it, as planes of 4 channels from `input` on */
NN_KERNEL void NN_NAME(depthwise_planes)(const number_t *input, uint8_t *planes, int top, int rows, int borders,
                                         const nn_convolution_depthwise_t p)
{
    const int pitch = p.words * NN_PLANE_CHANNELS * 4;
    const int above = top >= 0 ? 0 : -top < rows ? -top : rows; /* rows of zeros */
    const int excess = top + rows - p.input_height, left = rows - above;
    const int below = excess <= 0 ? 0 : excess < left ? excess : left;
    const int seen = left - below;
    if (p.zeros && borders && above) {
        p.zeros(planes, above * p.words);
    }
    if (p.zeros && borders && below) {
        p.zeros(planes + (above + seen) * pitch, below * p.words);
    }
    if (seen) {
        p.spread(input + (top + above) * p.input_width * p.input_channels, planes + above * pitch, seen);
    }
}

/* kernel: weights of each filter, as mcusim/kernels/depthwise/shape.py lays them; bias: records of the filters */
NN_KERNEL void NN_NAME(convolution_depthwise)(const number_t *restrict input, void *restrict output, void *scratch,
                                              const void *kernel, const void *bias, const nn_convolution_depthwise_t p)
{
    const int rows = (p.stripe - 1) * p.stride_height + p.window_height;
    uint8_t *const planes = (uint8_t *)scratch;
    uint8_t *const ready = planes + rows * p.words * NN_PLANE_CHANNELS * 4;
    for (int top = 0; top < p.output_height; top += p.stripe) {
        /* The last stripe computes some rows again, rather than some that are not there. */
        const int y = top + p.stripe < p.output_height ? top : p.output_height - p.stripe;
        uint8_t *const row = (uint8_t *)output + y * p.output_width * p.output_channels * p.output_bytes;
        for (int channel = 0; channel < p.input_channels; channel += NN_PLANE_CHANNELS) {
            /* The last planes may hold some channels again: they are taken four by four. */
            const int last = p.input_channels < NN_PLANE_CHANNELS ? 0 : p.input_channels - NN_PLANE_CHANNELS;
            const int first = channel < last ? channel : last;
            const int count = p.input_channels - channel < NN_PLANE_CHANNELS ? p.input_channels - channel : NN_PLANE_CHANNELS;
            const int filter = channel * p.multiplier;
            NN_NAME(depthwise_planes)(input + first, planes, y * p.stride_height - p.padding_top, rows, channel == 0, p);
            const uint8_t *weights = (const uint8_t *)kernel + filter * p.filter_bytes;
            int filter_bytes = p.filter_bytes;
            if (p.weights) {
                p.weights(weights, (int16_t *)(void *)ready, count * p.multiplier * filter_bytes / 4);
                weights = ready;
                filter_bytes = 4 * p.ready_words;
            }
            const int calls = p.multiplier == 1 ? 1 : count, filters = p.multiplier == 1 ? count : p.multiplier;
            for (int i = 0; i < calls; i++) {
                const int own = i * p.multiplier;
                NN_NAME(depthwise_filters)(planes + (channel - first + i) * p.channel_bytes, weights + own * filter_bytes,
                                           row + (filter + own) * p.output_bytes,
                                           (const uint8_t *)bias + (filter + own) * 4 * NN_RECORD, filters, p);
            }
        }
    }
}

#endif
