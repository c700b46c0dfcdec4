/* Some columns of all rows of some filters, from planes of float32: the twin of nn_depthwise_down_float_*.S and
 * nn_depthwise_across_float_*.S */
#ifndef NN_DEPTHWISE_FLOAT_TILE_H
#define NN_DEPTHWISE_FLOAT_TILE_H

#include "nn_depthwise_float_spread.h"
#include "number.h"

typedef struct {
    int window_height, window_width, stride_height, stride_width;
    int rows, columns;  /* outputs */
    int row_columns;    /* of a row of the planes */
    int filters, width; /* of the layer's output: numbers of a position, positions of a row */
    int multiplier;     /* filters of an input channel */
    NN_FINISH
} nn_depthwise_float_tile_t;

/* x: planes from the first filter's channel on; weights, bias: of the filters; output: from the first filter on */
NN_KERNEL void NN_NAME(depthwise_float_tile)(const void *x, const void *weights, void *output, const void *bias,
                                             int channels, const nn_depthwise_float_tile_t p)
{
    const int taps = p.window_height * p.window_width, pitch = p.row_columns * NN_FLOAT_PLANES;
    for (int filter = 0; filter < channels; filter++) {
        const float *const plane = (const float *)x + (p.multiplier == 1 ? filter * p.row_columns : 0);
        const float *const own = (const float *)weights + filter * taps;
        for (int y = 0; y < p.rows; y++) {
            for (int column = 0; column < p.columns; column++) {
                float sum = ((const float *)bias)[filter];
                for (int tap = 0; tap < taps; tap++) {
                    const int row = y * p.stride_height + tap / p.window_width;
                    sum += own[tap] * plane[row * pitch + column * p.stride_width + tap % p.window_width];
                }
                ((float *)output)[(y * p.width + column) * p.filters + filter] = nn_finish(sum, filter, p);
            }
        }
    }
}

#endif
