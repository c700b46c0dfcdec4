/* Largest number or mean of each window, by routines that take several channels at once. Padding never counts. */
#ifndef NN_POOLING_LANES_H
#define NN_POOLING_LANES_H

#include "nn_window.h"
#include "number.h"

typedef struct {
    int input_height, input_width, input_channels;
    int output_height, output_width;
    int window_height, window_width, stride_height, stride_width;
    int padding_top, padding_left;
    int first_column, whole_columns; /* outputs of a row whose windows hang over no edge of it */
    void (*whole)(void *, const void *, int);    /* of so many windows; 0: there are none */
    void (*any)(void *, const void *, int, int); /* of so many rows and columns; 0: all windows are whole */
} nn_pooling_lanes_t;

/* Outputs `x` to `end` of a row, one by one */
NN_KERNEL number_t *NN_NAME(windows_at_edges)(const number_t *input, number_t *output, nn_range_t rows, int x,
                                              int end, const nn_pooling_lanes_t p)
{
    for (; x < end; x++) {
        const nn_range_t columns = nn_range(x * p.stride_width - p.padding_left, p.window_width, p.input_width);
        const int corner = (rows.start + rows.first) * p.input_width + columns.start + columns.first;
        p.any(output, input + corner * p.input_channels, rows.end - rows.first, columns.end - columns.first);
        output += p.input_channels;
    }
    return output;
}

NN_KERNEL void NN_NAME(pooling_lanes)(const number_t *restrict input, number_t *restrict output,
                                      const nn_pooling_lanes_t p)
{
    const int end = p.first_column + p.whole_columns;
    for (int y = 0; y < p.output_height; y++) {
        const nn_range_t rows = nn_range(y * p.stride_height - p.padding_top, p.window_height, p.input_height);
        if (p.whole && (!p.any || rows.end - rows.first == p.window_height)) {
            const int corner = rows.start * p.input_width + p.first_column * p.stride_width - p.padding_left;
            if (p.first_column) {
                output = NN_NAME(windows_at_edges)(input, output, rows, 0, p.first_column, p);
            }
            p.whole(output, input + corner * p.input_channels, p.whole_columns);
            output += p.whole_columns * p.input_channels;
            if (p.any && end < p.output_width) {
                output = NN_NAME(windows_at_edges)(input, output, rows, end, p.output_width, p);
            }
        } else if (p.any) {
            output = NN_NAME(windows_at_edges)(input, output, rows, 0, p.output_width, p);
        }
    }
}

#endif
