/* A tile of 6 x 6 positions becomes the points of F(4 x 4, 3 x 3): the twin of nn_squares_input_*.S */
#ifndef NN_SQUARES_INPUT_H
#define NN_SQUARES_INPUT_H

#include "nn_winograd_input.h"
#include "number.h"
#include "simd.h"

typedef struct {
    int channels;
    int is_unsigned; /* have inputs no sign? */
} nn_squares_input_t;

NN_KERNEL void NN_NAME(squares_input)(const void *input, int16_t *output, int pitch, const nn_squares_input_t p)
{
    const int apart = 4 * p.channels; /* from point to point: four tiles */
    for (int channel = 0; channel < p.channels; channel += 2) {
        int16_t rows[6][6][2]; /* points, rows, channels */
        for (int row = 0; row < 6; row++) {
            uint32_t d[6];
            for (int i = 0; i < 6; i++) {
                const uint8_t *const from = (const uint8_t *)input + row * pitch + i * p.channels + channel / 4 * 4;
                d[i] = nn_bytes(nn_word(from), channel / 2 % 2, p.is_unsigned);
            }
            nn_winograd_input_six(d, &rows[0][row][0], 12);
        }
        for (int point = 0; point < 6; point++) {
            uint32_t d[6];
            for (int row = 0; row < 6; row++) {
                d[row] = nn_word(rows[point][row]);
            }
            nn_winograd_input_six(d, output + 6 * point * apart + channel, apart);
        }
    }
}

#endif
