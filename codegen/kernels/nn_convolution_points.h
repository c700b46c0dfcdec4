/* Convolution in float32, windows 3 wide and strides of 1, by Winograd's F(4,3): for four outputs of a row six products
 * instead of twelve. Other bits than plain C, the same ones on every machine.
 *
 * A row of the input becomes six numbers for each group of four outputs, one for each of the points 0, 1, -1, 2, -2 and
 * infinity; at each point they are multiplied with the filter's value there (mcusim computed it), over all rows and
 * channels; and six sums become four outputs.
 */
#ifndef NN_CONVOLUTION_POINTS_H
#define NN_CONVOLUTION_POINTS_H

#include "nn_window.h"
#include "number.h"

typedef struct {
    int input_height, input_width, input_channels;
    int output_height, output_width, output_channels;
    int window_height, window_width;
    int padding_top, padding_left;
    int filters, positions;   /* of a tile; a position is a group of four outputs */
    int computed;             /* are the weights at the points computed here, or are they in `kernel`? */
    int stripe, stripe_width; /* output rows and groups whose numbers are in memory at a time */
    void (*tile)(const number_t *, const number_t *, number_t *, const number_t *, int, int, int);
    NN_FINISH
} nn_convolution_points_t;

#define NN_POINTS 6

/* Six columns of a row, at one channel, become a number at each point. `point`: numbers from one point to the next. */
NN_KERNEL void NN_NAME(to_points)(number_t *to, const int point, number_t d0, number_t d1, number_t d2, number_t d3,
                                  number_t d4, number_t d5)
{
    const number_t even = d4 - 4 * d2, odd = d3 - 4 * d1;
    const number_t near = d4 - d2, far = 2 * (d3 - d1);
    to[0] = 4 * (d0 - d2) + near;
    to[point] = even + odd;
    to[2 * point] = even - odd;
    to[3 * point] = near + far;
    to[4 * point] = near - far;
    to[5 * point] = 4 * (d1 - d3) + (d5 - d3);
}

/* A number of the input, or 0 outside of its row */
NN_KERNEL number_t NN_NAME(number_at)(const number_t *row, int column, int channel, const nn_convolution_points_t p)
{
    return column >= 0 && column < p.input_width ? row[column * p.input_channels + channel] : 0;
}

/* All channels of a group, from `column` of a row on */
NN_KERNEL void NN_NAME(group_to_points)(number_t *to, const int point, const number_t *row, int column,
                                        const nn_convolution_points_t p)
{
    const int channels = p.input_channels;
    if (column >= 0 && column + NN_POINTS <= p.input_width) {
        const number_t *x = row + column * channels;
        for (int i = 0; i < channels; i++, x++) {
            NN_NAME(to_points)(to + i, point, x[0], x[channels], x[2 * channels], x[3 * channels], x[4 * channels],
                               x[5 * channels]);
        }
    } else {
        for (int i = 0; i < channels; i++) {
            NN_NAME(to_points)(to + i, point, NN_NAME(number_at)(row, column, i, p),
                               NN_NAME(number_at)(row, column + 1, i, p), NN_NAME(number_at)(row, column + 2, i, p),
                               NN_NAME(number_at)(row, column + 3, i, p), NN_NAME(number_at)(row, column + 4, i, p),
                               NN_NAME(number_at)(row, column + 5, i, p));
        }
    }
}

/* Sums of the points become up to four outputs. */
NN_KERNEL void NN_NAME(from_points)(number_t *output, const number_t *sums, const int point, int count,
                                    const nn_convolution_points_t p)
{
    for (int i = 0; i < p.filters; i++, sums++, output++) {
        const number_t m1 = sums[point], m2 = sums[2 * point], m3 = sums[3 * point], m4 = sums[4 * point];
        const number_t both = m1 + m2, between = m1 - m2, far = m3 + m4, across = m3 - m4;
        output[0] = nn_finish(sums[0] + both + far, i, p);
        if (count > 1) {
            output[p.output_channels] = nn_finish(between + 2 * across, i, p);
        }
        if (count > 2) {
            output[2 * p.output_channels] = nn_finish(both + 4 * far, i, p);
        }
        if (count > 3) {
            output[3 * p.output_channels] = nn_finish(between + 8 * across + sums[5 * point], i, p);
        }
    }
}

/* Weights of three columns, `row` numbers each, become those at the points. */
NN_KERNEL void NN_NAME(weights_to_points)(number_t *to, const int point, const number_t *kernel, const int row)
{
    for (int i = 0; i < row; i++, to++, kernel++) {
        const number_t left = kernel[0], middle = kernel[row], right = kernel[2 * row];
        const number_t sixth = (left + right) * (1 / 6.0f), half = middle * (1 / 6.0f);
        const number_t far = left * (1 / 24.0f) + right * (1 / 6.0f), twelfth = middle * (1 / 12.0f);
        to[0] = left * 0.25f;
        to[point] = -(sixth + half);
        to[2 * point] = half - sixth;
        to[3 * point] = far + twelfth;
        to[4 * point] = far - twelfth;
        to[5 * point] = right;
    }
}

/* kernel: tiles of filters x points x rows x channels x filters; with `computed` x rows x columns x channels x filters.
 * The last tile may overlap the one before. */
NN_KERNEL void NN_NAME(convolution_points)(const number_t *restrict input, number_t *restrict output, void *scratch,
                                           const number_t *kernel, const number_t *bias,
                                           const nn_convolution_points_t p)
{
    const int channels = p.input_channels, row = channels * p.filters, taps = p.window_height * row;
    const int groups = (p.output_width + 3) / 4, pitch = p.stripe_width * channels;
    number_t *const none = (number_t *)scratch, *const there = none + p.filters; /* biases of other points; weights */
    number_t *const sums = there + (p.computed ? NN_POINTS * taps : 0);
    const int sums_of_row = p.stripe_width * p.filters, sums_of_point = p.stripe * sums_of_row;
    number_t *const numbers = sums + NN_POINTS * sums_of_point;
    for (int i = 0; i < p.filters; i++) {
        none[i] = 0;
    }
    for (int start = 0; start < p.output_height; start += p.stripe) {
        const int end = start + p.stripe < p.output_height ? start + p.stripe : p.output_height;
        const int above = start - p.padding_top, below = end - 1 - p.padding_top + p.window_height;
        const int top = above > 0 ? above : 0, bottom = below < p.input_height ? below : p.input_height;
        const int point = (bottom - top) * pitch;
        for (int next = 0; next < groups; next += p.stripe_width) {
            const int first = next + p.stripe_width <= groups ? next : groups - p.stripe_width;
            for (int i = 0; i < (bottom - top) * p.stripe_width; i++) {
                NN_NAME(group_to_points)(numbers + i * channels, point,
                                         input + (top + i / p.stripe_width) * p.input_width * channels,
                                         4 * (first + i % p.stripe_width) - p.padding_left, p);
            }
            for (int tile = 0; tile * p.filters < p.output_channels; tile++) {
                const int filter = (tile + 1) * p.filters <= p.output_channels ? tile * p.filters
                                                                             : p.output_channels - p.filters;
                for (int i = 0; i < p.window_height && p.computed; i++) {
                    NN_NAME(weights_to_points)(there + i * row, taps, kernel + (tile * p.window_height + i) * 3 * row, row);
                }
                for (int j = 0; j < NN_POINTS; j++) {
                    const number_t *const weights = (p.computed ? there : kernel + tile * NN_POINTS * taps) + j * taps;
                    const number_t *const begin = j == 1 ? bias + filter : none; /* 1 counts in every output */
                    for (int y = start; y < end; y++) {
                        const nn_range_t rows = nn_range(y - p.padding_top, p.window_height, p.input_height);
                        const number_t *const x = numbers + j * point + (rows.start + rows.first - top) * pitch;
                        number_t *const to = sums + j * sums_of_point + (y - start) * sums_of_row;
                        const int rest = p.stripe_width - p.positions, bytes = pitch * (int)sizeof(number_t);
                        p.tile(x, weights + rows.first * row, to, begin, p.stripe_width / p.positions,
                               rows.end - rows.first, bytes);
                        if (p.stripe_width % p.positions) { /* some groups twice, rather than some that are not there */
                            p.tile(x + rest * channels, weights + rows.first * row, to + rest * p.filters, begin, 1,
                                   rows.end - rows.first, bytes);
                        }
                    }
                }
                for (int i = 0; i < (end - start) * p.stripe_width; i++) {
                    const int x = 4 * (first + i % p.stripe_width);
                    number_t *const to =
                        output + ((start + i / p.stripe_width) * p.output_width + x) * p.output_channels + filter;
                    NN_NAME(from_points)(to, sums + i * p.filters, sums_of_point, p.output_width - x, p);
                }
            }
        }
    }
}

#endif
