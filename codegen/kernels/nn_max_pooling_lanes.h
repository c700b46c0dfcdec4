/* Largest number of each window, channels side by side. Padding never counts. */
#ifndef NN_MAX_POOLING_LANES_H
#define NN_MAX_POOLING_LANES_H

#include "lanes.h"
#include "nn_window.h"

typedef struct {
    int input_height, input_width, input_channels; /* at least a word of channels */
    int output_height, output_width;
    int window_height, window_width, stride_height, stride_width;
    int padding_top, padding_left;
    int overhang;       /* does any window hang over the edge? */
    int unsigned_input; /* has the input no sign? */
    NN_LIMIT
} nn_max_pooling_lanes_t;

/* A tap of a window: `numbers` numbers of it */
NN_PART void NN_NAME(max_tap)(lane_t *best, const number_t *tap, const int numbers, int is_unsigned)
{
    lane_t seen[NN_BLOCK];
    NN_UNROLLED for (int i = 0; i < NN_WORDS(numbers); i++) {
        seen[i] = nn_lanes(tap + nn_word_place(i, numbers));
    }
    NN_UNROLLED for (int i = 0; i < NN_WORDS(numbers); i++) {
        best[i] = nn_larger(best[i], seen[i], is_unsigned);
    }
}

/* Taps of one row, from `first` on */
NN_PART void NN_NAME(max_row)(lane_t *best, const number_t *row, int first, int columns, const int numbers,
                              const nn_max_pooling_lanes_t p)
{
    if (p.window_width <= 3 && columns == p.window_width) {
        NN_UNROLLED for (int column = first; column < p.window_width; column++) {
            NN_NAME(max_tap)(best, row + column * p.input_channels, numbers, p.unsigned_input);
        }
        return;
    }
    const number_t *tap = row + first * p.input_channels;
    for (const number_t *const end = row + columns * p.input_channels; tap < end; tap += p.input_channels) {
        NN_NAME(max_tap)(best, tap, numbers, p.unsigned_input);
    }
}

/* `numbers` channels of a window */
NN_PART void NN_NAME(max_window)(const number_t *corner, number_t *output, int rows, int columns, const int numbers,
                                 const nn_max_pooling_lanes_t p)
{
    lane_t best[NN_BLOCK];
    NN_UNROLLED for (int i = 0; i < NN_WORDS(numbers); i++) {
        best[i] = nn_lanes(corner + nn_word_place(i, numbers));
    }
    NN_NAME(max_row)(best, corner, 1, columns, numbers, p);
    for (int row = 1; row < rows; row++) {
        corner += p.input_width * p.input_channels;
        NN_NAME(max_row)(best, corner, 0, columns, numbers, p);
    }
    NN_UNROLLED for (int i = 0; i < NN_WORDS(numbers); i++) {
        nn_put_lanes(output + nn_word_place(i, numbers), nn_limit_lanes(best[i], p.unsigned_input, p));
    }
}

/* All channels of a window, `rows` x `columns` of whose taps are inside the plane */
NN_PART void NN_NAME(max_channels)(const number_t *corner, number_t *output, int rows, int columns,
                                   const nn_max_pooling_lanes_t p)
{
    const int block = NN_BLOCK * NN_LANES, rest = p.input_channels % block;
    const number_t *const end = corner + p.input_channels - rest;
    while (corner < end) {
        NN_NAME(max_window)(corner, output, rows, columns, block, p);
        corner += block;
        output += block;
    }
    if (rest) { /* less than a word: together with some that were there before */
        const int numbers = rest < NN_LANES ? NN_LANES : rest;
        NN_NAME(max_window)(corner + rest - numbers, output + rest - numbers, rows, columns, numbers, p);
    }
}

NN_KERNEL void NN_NAME(max_pooling_lanes)(const number_t *restrict input, number_t *restrict output,
                                          const nn_max_pooling_lanes_t p)
{
    for (int y = 0; y < p.output_height; y++) {
        const nn_range_t rows = nn_range(y * p.stride_height - p.padding_top, p.window_height, p.input_height);
        for (int x = 0; x < p.output_width; x++) {
            const nn_range_t columns = nn_range(x * p.stride_width - p.padding_left, p.window_width, p.input_width);
            const int corner = (rows.start + rows.first) * p.input_width + columns.start + columns.first;
            NN_NAME(max_channels)(input + corner * p.input_channels, output,
                                  p.overhang ? rows.end - rows.first : p.window_height,
                                  p.overhang ? columns.end - columns.first : p.window_width, p);
            output += p.input_channels;
        }
    }
}

#endif
