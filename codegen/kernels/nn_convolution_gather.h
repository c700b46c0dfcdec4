/* Convolution in float32 by tiles of filters x positions whose windows are gathered first: any dilation, groups, padding.
 *
 * Each sum is in the order of plain C; products with the zeros of the padding do not change it.
 */
#ifndef NN_CONVOLUTION_GATHER_H
#define NN_CONVOLUTION_GATHER_H

#include "nn_window.h"
#include "number.h"

typedef struct {
    int input_height, input_width, input_channels;
    int output_height, output_width, output_channels;
    int window_height, window_width, stride_height, stride_width;
    int padding_top, padding_left;
    int gap_height, gap_width; /* positions between two taps: dilation - 1 */
    int groups;
    int filters, positions; /* of a tile */
    int copied;             /* are the weights of a tile copied into RAM? */
    int stripe;             /* tiles whose windows are in memory at a time */
    void (*spread)(number_t *, const number_t *, int);
    void (*copy)(const void *, int16_t *, int);
    void (*tile)(const number_t *, const number_t *, number_t *, const number_t *, int, int, int);
} nn_convolution_gather_t;

/* -> what lies behind `count` zeros, as far apart as a tile has positions. */
NN_KERNEL number_t *NN_NAME(spread_zeros)(number_t *to, int count, const nn_convolution_gather_t p)
{
    for (; count > 0; count--, to += p.positions) {
        *to = 0;
    }
    return to;
}

/* The window of a position, its numbers as far apart as a tile has positions */
NN_KERNEL void NN_NAME(gather_window)(number_t *to, const number_t *input, int position, const int channels,
                                      const nn_convolution_gather_t p)
{
    const int top = position / p.output_width * p.stride_height - p.padding_top;
    const int left = position % p.output_width * p.stride_width - p.padding_left;
    const nn_range_t rows = nn_dilated_range(top, p.window_height, p.gap_height + 1, p.input_height);
    const nn_range_t columns = nn_dilated_range(left, p.window_width, p.gap_width + 1, p.input_width);
    const int seen = columns.end - columns.first, row_of_input = (p.gap_height + 1) * p.input_width * p.input_channels;
    const int first = top * p.input_width + left + columns.first * (p.gap_width + 1);
    const int none = seen == 0 || rows.first == rows.end;
    to = NN_NAME(spread_zeros)(to, (none ? p.window_height : rows.first) * p.window_width * channels, p);
    for (int row = rows.first; row < rows.end && !none; row++) {
        to = NN_NAME(spread_zeros)(to, columns.first * channels, p);
        p.spread(to, input + first * p.input_channels + row * row_of_input, seen);
        to = NN_NAME(spread_zeros)(to + seen * channels * p.positions, (p.window_width - columns.end) * channels, p);
    }
    NN_NAME(spread_zeros)(to, none ? 0 : (p.window_height - rows.end) * p.window_width * channels, p);
}

/* Tiles from position `first` on, for all filters of a group */
NN_KERNEL void NN_NAME(gathered_tiles)(const number_t *input, number_t *output, number_t *scratch, const number_t *kernel,
                                       const number_t *bias, int group, int first, int tiles,
                                       const nn_convolution_gather_t p)
{
    const int channels = p.input_channels / p.groups, filters = p.output_channels / p.groups;
    const int taps = p.window_height * p.window_width * channels;
    number_t *const windows = scratch + (p.copied ? taps * p.filters : 0);
    for (int i = 0; i < tiles * p.positions; i++) {
        NN_NAME(gather_window)(windows + i / p.positions * p.positions * taps + i % p.positions,
                               input + group * channels, first + i, channels, p);
    }
    for (int tile = 0; tile * p.filters < filters; tile++) {
        const int inner = (tile + 1) * p.filters <= filters ? tile * p.filters : filters - p.filters;
        const int filter = group * filters + inner;
        const number_t *weights = kernel + (group * ((filters + p.filters - 1) / p.filters) + tile) * taps * p.filters;
        if (p.copied) {
            p.copy(weights, (int16_t *)scratch, taps * p.filters);
            weights = scratch;
        }
        p.tile(windows, weights, output + first * p.output_channels + filter, bias + filter, tiles, 1, 0);
    }
}

/* kernel: groups x tiles of filters x taps x filters; the last tile may overlap the one before */
NN_KERNEL void NN_NAME(convolution_gather)(const number_t *restrict input, number_t *restrict output, void *scratch,
                                           const number_t *kernel, const number_t *bias,
                                           const nn_convolution_gather_t p)
{
    const int positions = p.output_height * p.output_width, whole = positions / p.positions;
    for (int group = 0; group < p.groups; group++) {
        for (int start = 0; start < whole; start += p.stripe) {
            const int tiles = start + p.stripe < whole ? p.stripe : whole - start;
            NN_NAME(gathered_tiles)(input, output, (number_t *)scratch, kernel, bias, group, start * p.positions, tiles, p);
        }
        if (positions % p.positions) { /* some positions twice, rather than some that are not there */
            NN_NAME(gathered_tiles)(input, output, (number_t *)scratch, kernel, bias, group, positions - p.positions, 1, p);
        }
    }
}

#endif
