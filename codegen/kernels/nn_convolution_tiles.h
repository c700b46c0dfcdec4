/* Convolution in float32 by tiles of filters x positions, each sum in the order of plain C.
 *
 * Windows inside of the plane are read where it lies. Positions whose window hangs over the left or right edge read a band:
 * the columns that they see, with zeros for those that are not there. Rows above and below the plane are left out.
 */
#ifndef NN_CONVOLUTION_TILES_H
#define NN_CONVOLUTION_TILES_H

#include "nn_window.h"
#include "number.h"

typedef struct {
    int input_height, input_width, input_channels;
    int output_height, output_width, output_channels;
    int window_height, window_width, stride_height, stride_width;
    int padding_top, padding_left;
    int filters, positions; /* of a tile */
    int copied;             /* are the weights of a tile copied into RAM? */
    int stripe;             /* output rows whose bands are in memory at a time */
    int left, right;        /* tiles at the edges, which read bands */
    int middle, first;      /* tiles between them, and the position of the first one */
    int rest;               /* position of one tile more, 0: there is none */
    void (*copy)(const void *, int16_t *, int);
    void (*tile)(const number_t *, const number_t *, number_t *, const number_t *, int, int, int);
} nn_convolution_tiles_t;

/* Some columns of a plane, as far as they are there: rows from `first` on. */
typedef struct {
    number_t *numbers;
    int first, column, columns;
} nn_band_t;

/* -> what lies behind `count` zeros: the first four are copied on and on. (Small libraries have a memset by bytes.) */
NN_KERNEL number_t *NN_NAME(zeros)(number_t *to, int count, const nn_convolution_tiles_t p)
{
    for (int i = 0; i < 4 && i < count; i++) {
        to[i] = 0;
    }
    if (count > 4) {
        void *const rest = to + 4;
        p.copy(to, rest, count - 4);
    }
    return count > 0 ? to + count : to;
}

/* Fills a band up to row `end`; -> what lies behind it. */
NN_KERNEL number_t *NN_NAME(fill_band)(const nn_band_t band, const number_t *input, int end,
                                       const nn_convolution_tiles_t p)
{
    const nn_range_t inside = nn_range(band.column, band.columns, p.input_width);
    number_t *to = band.numbers;
    for (int y = band.first; y < end && band.columns; y++) {
        to = NN_NAME(zeros)(to, inside.first * p.input_channels, p);
        const int count = (inside.end - inside.first) * p.input_channels;
        if (count > 0) {
            void *const there = to;
            p.copy(input + (y * p.input_width + band.column + inside.first) * p.input_channels, there, count);
        }
        to = NN_NAME(zeros)(to + count, (band.columns - inside.end) * p.input_channels, p);
    }
    return to;
}

/* Tiles at the positions from `first` on of a row of outputs, the window's rows `rows` of which are seen */
NN_KERNEL void NN_NAME(row_of_tiles)(const number_t *input, int pitch, const number_t *weights, number_t *output,
                                     const number_t *bias, int first, int tiles, const nn_range_t rows,
                                     const nn_convolution_tiles_t p)
{
    const int taps = p.window_width * p.input_channels;
    if (tiles) {
        p.tile(input, weights + rows.first * taps * p.filters, output + first * p.output_channels, bias, tiles,
               rows.end - rows.first, pitch * p.input_channels * (int)sizeof(number_t));
    }
}

/* kernel: tiles of filters x rows x columns x channels x filters; the last tile may overlap the one before */
NN_KERNEL void NN_NAME(convolution_tiles)(const number_t *restrict input, number_t *restrict output, void *scratch,
                                          const number_t *kernel, const number_t *bias, const nn_convolution_tiles_t p)
{
    const int taps = p.window_height * p.window_width * p.input_channels * p.filters; /* of a tile of filters */
    const int last = p.output_width - p.right * p.positions; /* where tiles of the right edge begin */
    const int left_columns = p.left ? (p.left * p.positions - 1) * p.stride_width + p.window_width : 0;
    const int right_columns = p.right ? (p.right * p.positions - 1) * p.stride_width + p.window_width : 0;
    for (int start = 0; start < p.output_height; start += p.stripe) {
        const int end = start + p.stripe < p.output_height ? start + p.stripe : p.output_height;
        const int above = start * p.stride_height - p.padding_top;
        const int below = (end - 1) * p.stride_height - p.padding_top + p.window_height;
        const int first_row = above > 0 ? above : 0, end_row = below < p.input_height ? below : p.input_height;
        const nn_band_t left = {(number_t *)scratch + (p.copied ? taps : 0), first_row, -p.padding_left, left_columns};
        const nn_band_t right = {NN_NAME(fill_band)(left, input, end_row, p), first_row,
                                 last * p.stride_width - p.padding_left, right_columns};
        NN_NAME(fill_band)(right, input, end_row, p);
        for (int tile = 0; tile * p.filters < p.output_channels; tile++) {
            const int filter = (tile + 1) * p.filters <= p.output_channels ? tile * p.filters
                                                                         : p.output_channels - p.filters;
            const number_t *weights = kernel + tile * taps;
            if (p.copied) {
                p.copy(weights, (int16_t *)scratch, taps);
                weights = (number_t *)scratch;
            }
            for (int y = start; y < end; y++) {
                const nn_range_t rows = nn_range(y * p.stride_height - p.padding_top, p.window_height, p.input_height);
                const int top = rows.start + rows.first;
                const number_t *const seen = input + (top * p.input_width - p.padding_left) * p.input_channels;
                number_t *const to = output + y * p.output_width * p.output_channels + filter;
                NN_NAME(row_of_tiles)(left.numbers + (top - first_row) * left_columns * p.input_channels, left_columns,
                                      weights, to, bias + filter, 0, p.left, rows, p);
                NN_NAME(row_of_tiles)(seen + p.first * p.stride_width * p.input_channels, p.input_width, weights, to,
                                      bias + filter, p.first, p.middle, rows, p);
                NN_NAME(row_of_tiles)(seen + p.rest * p.stride_width * p.input_channels, p.input_width, weights, to,
                                      bias + filter, p.rest, p.rest != 0, rows, p);
                NN_NAME(row_of_tiles)(right.numbers + (top - first_row) * right_columns * p.input_channels,
                                      right_columns, weights, to, bias + filter, last, p.right, rows, p);
            }
        }
    }
}

#endif
