/* Windows of 3 x 3 taps become the points of F(4 x 4, 3 x 3): the twin of nn_squares_weights_*.S */
#ifndef NN_SQUARES_WEIGHTS_H
#define NN_SQUARES_WEIGHTS_H

#include "nn_winograd_weights.h"
#include "number.h"
#include "simd.h"

typedef struct {
    int channels;
    int apart; /* numbers from point to point */
} nn_squares_weights_t;

NN_KERNEL void NN_NAME(squares_weights)(const void *input, int16_t *output, const nn_squares_weights_t p)
{
    for (int filter = 0; filter < 2; filter++) {
        for (int channel = 0; channel < p.channels; channel += 2) {
            int16_t rows[6][3][2]; /* points, rows, channels */
            for (int row = 0; row < 3; row++) {
                uint32_t g[3];
                for (int i = 0; i < 3; i++) {
                    const int tap = (3 * filter + row) * 3 + i;
                    g[i] = nn_bytes(nn_word((const int8_t *)input + tap * p.channels + channel / 4 * 4), channel / 2 % 2, 0);
                }
                nn_winograd_weights_six(g, &rows[0][row][0], 6);
            }
            for (int point = 0; point < 6; point++) {
                uint32_t g[3];
                for (int row = 0; row < 3; row++) {
                    g[row] = nn_word(rows[point][row]);
                }
                nn_winograd_weights_six(g, output + 6 * point * p.apart + 2 * channel + 2 * filter, p.apart);
            }
        }
    }
}

#endif
