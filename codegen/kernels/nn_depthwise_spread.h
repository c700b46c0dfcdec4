/* Up to 4 channels as planes of 16 bits, in which pairs of columns lie side by side: the twin of nn_depthwise_spread_*.S */
#ifndef NN_DEPTHWISE_SPREAD_H
#define NN_DEPTHWISE_SPREAD_H

#include "number.h"

#define NN_PLANES 4 /* channels side by side */

/* Where a column of a channel is in a row of the planes. */
#define NN_PLANE_PLACE(column, channel) (((column) / 2 * NN_PLANES + (channel)) * 2 + (column) % 2)

typedef struct {
    int channels, input_width; /* of the input */
    int width;                 /* columns that are read */
    int before;                /* zeros to their left */
    int words;                 /* of a row of the planes: pairs of columns */
    int is_unsigned;           /* has the input no sign? */
    int input_zero;            /* taken off what is read */
} nn_depthwise_spread_t;

/* to: rows x words x 4 channels x 2 columns */
NN_KERNEL void NN_NAME(depthwise_spread)(const void *input, void *to, int rows, const nn_depthwise_spread_t p)
{
    const int channels = p.channels < NN_PLANES ? p.channels : NN_PLANES;
    const number_t *from = (const number_t *)input;
    int16_t *planes = (int16_t *)to;
    for (int row = 0; row < rows; row++, from += p.input_width * p.channels, planes += p.words * NN_PLANES * 2) {
        for (int channel = 0; channel < channels; channel++) {
            for (int column = 0; column < 2 * p.words; column++) {
                const int x = column - p.before;
                const int there = x >= 0 && x < p.width;
                planes[NN_PLANE_PLACE(column, channel)] =
                    (int16_t)(there ? nn_read(from[x * p.channels + channel], p.is_unsigned) - p.input_zero : 0);
            }
        }
    }
}

#endif
