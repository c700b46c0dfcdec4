/* Convolution over channels-last planes, with strides, zero padding, dilation and groups. 1D data is a plane of height 1. */
#ifndef NN_CONVOLUTION_H
#define NN_CONVOLUTION_H

#include "nn_window.h"
#include "number.h"

typedef struct {
    int input_height, input_width, input_channels;
    int output_height, output_width, output_channels;
    int window_height, window_width, stride_height, stride_width;
    int padding_top, padding_left;
    int gap_height, gap_width; /* positions between two taps: dilation - 1 */
    int groups;
    int unsigned_input; /* has the input no sign? */
    int input_zero;     /* what zeros of the padding are */
    NN_FINISH
} nn_convolution_t;

/* Sum of products of one filter with the taps of one output position that lie inside the plane. */
NN_KERNEL accumulator_t NN_NAME(convolution_sum)(const number_t *input, const weight_t *filter, accumulator_t sum,
                                                 const nn_range_t rows, const nn_range_t columns, const int channels,
                                                 const nn_convolution_t p)
{
    for (int row = rows.first; row < rows.end; row++) {
        const int y = rows.start + row * (p.gap_height + 1);
        const int first = columns.start + columns.first * (p.gap_width + 1);
        const number_t *x = input + (y * p.input_width + first) * p.input_channels;
        const weight_t *w = filter + (row * p.window_width + columns.first) * channels;
        if (p.groups == 1 && p.gap_width == 0) { /* taps side by side in both arrays: one scalar product */
            const int count = (columns.end - columns.first) * channels;
            for (int i = 0; i < count; i++) {
                sum += (accumulator_t)w[i] * nn_read(x[i], p.unsigned_input);
            }
        } else {
            for (int column = columns.first; column < columns.end; column++) {
                for (int i = 0; i < channels; i++) {
                    sum += (accumulator_t)w[i] * nn_read(x[i], p.unsigned_input);
                }
                w += channels;
                x += (p.gap_width + 1) * p.input_channels;
            }
        }
    }
    return sum;
}

/* What the taps of a filter add that lie outside of the plane, where zeros are `input_zero`. */
NN_KERNEL accumulator_t NN_NAME(convolution_outside)(const weight_t *filter, const nn_range_t rows,
                                                     const nn_range_t columns, const int channels,
                                                     const nn_convolution_t p)
{
    accumulator_t weights = 0;
    for (int row = 0; row < p.window_height; row++) {
        for (int column = 0; column < p.window_width; column++, filter += channels) {
            if (row < rows.first || row >= rows.end || column < columns.first || column >= columns.end) {
                for (int i = 0; i < channels; i++) {
                    weights += filter[i];
                }
            }
        }
    }
    return weights * (accumulator_t)p.input_zero;
}

/* kernel: filters x window x channels of a group; bias: at the scale of the sums */
NN_KERNEL void NN_NAME(convolution)(const number_t *restrict input, void *restrict output, const weight_t *kernel,
                                    const accumulator_t *bias, const nn_convolution_t p)
{
    const int channels = p.input_channels / p.groups, filters = p.output_channels / p.groups;
    const int taps = p.window_height * p.window_width * channels;
    for (int y = 0; y < p.output_height; y++) {
        const nn_range_t rows =
            nn_dilated_range(y * p.stride_height - p.padding_top, p.window_height, p.gap_height + 1, p.input_height);
        for (int x = 0; x < p.output_width; x++) {
            const nn_range_t columns =
                nn_dilated_range(x * p.stride_width - p.padding_left, p.window_width, p.gap_width + 1, p.input_width);
            for (int filter = 0; filter < p.output_channels; filter++) {
                accumulator_t sum = NN_NAME(convolution_sum)(input + filter / filters * channels, kernel + filter * taps,
                                                             bias[filter], rows, columns, channels, p);
                if (p.input_zero) {
                    sum += NN_NAME(convolution_outside)(kernel + filter * taps, rows, columns, channels, p);
                }
                output = nn_store(output, nn_finish(sum, filter, p), p.storage);
            }
        }
    }
}

#endif
