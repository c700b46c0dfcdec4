/* Some columns of all rows of some filters, from planes: the twin of nn_depthwise_down_*.S and nn_depthwise_across_*.S */
#ifndef NN_DEPTHWISE_TILE_H
#define NN_DEPTHWISE_TILE_H

#include "nn_depthwise_spread.h"
#include "number.h"

typedef struct {
    int window_height, window_width, stride_height, stride_width;
    int rows, columns;  /* outputs */
    int words;          /* of a row of the planes: pairs of columns */
    int filters, width; /* of the layer's output: numbers of a position, positions of a row */
    int row_words;      /* of weights of a row of the window: pairs of taps */
    int packed;         /* are weights bytes, words 0 and 1 as low, low, high, high? */
    int multiplier;     /* filters of an input channel */
    int doubling;       /* are weights doubled here? */
    int seen;           /* pairs of columns of a row that are there, where not all are: zeros would lie behind them */
    NN_FINISH
} nn_depthwise_tile_t;

/* The weight of one tap of a row of the window: words hold (0, 1), (2, 3)..., then (1, 2), (3, 4)..., or at the end the
 * last tap behind a zero. So the last one of an odd number is in the last word. */
NN_KERNEL int32_t NN_NAME(depthwise_weight)(const void *weights, int row, int tap, const nn_depthwise_tile_t p)
{
    const int odd_one = p.window_width % 2 && tap == p.window_width - 1;
    const int word = row * p.row_words + (odd_one ? p.row_words - 1 : tap / 2), half = odd_one ? 1 : tap % 2;
    if (p.packed) {
        return ((const int8_t *)weights)[word / 2 * 4 + word % 2 + 2 * half];
    }
    return ((const int16_t *)weights)[2 * word + half];
}

/* x: planes from the first filter's channel on; weights; bias: records of the filters; output: from the first filter on */
NN_KERNEL void NN_NAME(depthwise_tile)(const void *x, const void *weights, void *output, const void *bias,
                                       int channels, const nn_depthwise_tile_t p)
{
    const int filter_bytes = (p.window_height * p.row_words + 1) / 2 * (p.packed ? 4 : 8);
    for (int filter = 0; filter < channels; filter++) {
        const int16_t *const plane = (const int16_t *)x + (p.multiplier == 1 ? 2 * filter : 0);
        const uint8_t *const own = (const uint8_t *)weights + filter * filter_bytes;
        const int32_t *const record = (const int32_t *)bias + NN_RECORD * filter;
        const int32_t scale = 1 + p.doubling;
        for (int y = 0; y < p.rows; y++) {
            for (int column = 0; column < p.columns; column++) {
                uint32_t sum = (uint32_t)record[0];
                for (int row = 0; row < p.window_height; row++) {
                    const int16_t *const from = plane + (y * p.stride_height + row) * p.words * NN_PLANES * 2;
                    const int behind = 2 * p.seen - column * p.stride_width;
                    for (int tap = 0; tap < p.window_width && (p.seen == 0 || tap < behind); tap++) {
                        const int32_t w = NN_NAME(depthwise_weight)(own, row, tap, p) * scale;
                        sum += (uint32_t)(w * from[NN_PLANE_PLACE(column * p.stride_width + tap, 0)]);
                    }
                }
                nn_store_at(output, (y * p.width + column) * p.filters + filter, nn_finish_of((int32_t)sum, record, p),
                            p.storage);
            }
        }
    }
}

#endif
