/* Up to 4 channels as planes of float32: the twin of nn_depthwise_spread_float_*.S */
#ifndef NN_DEPTHWISE_FLOAT_SPREAD_H
#define NN_DEPTHWISE_FLOAT_SPREAD_H

#include "number.h"

#define NN_FLOAT_PLANES 4 /* channels side by side */

typedef struct {
    int channels, input_width; /* of the input */
    int width;                 /* columns that are read */
    int before;                /* zeros to their left */
    int row_columns;           /* of a row of the planes */
} nn_depthwise_float_spread_t;

/* to: rows x 4 channels x columns */
NN_KERNEL void NN_NAME(depthwise_float_spread)(const void *from, void *to, int rows,
                                               const nn_depthwise_float_spread_t p)
{
    const int channels = p.channels < NN_FLOAT_PLANES ? p.channels : NN_FLOAT_PLANES;
    const float *input = (const float *)from;
    float *planes = (float *)to;
    for (int row = 0; row < rows; row++) {
        for (int channel = 0; channel < channels; channel++) {
            for (int column = 0; column < p.row_columns; column++) {
                const int x = column - p.before;
                const int there = x >= 0 && x < p.width;
                planes[channel * p.row_columns + column] = there ? input[x * p.channels + channel] : 0.0f;
            }
        }
        input += p.input_width * p.channels;
        planes += p.row_columns * NN_FLOAT_PLANES;
    }
}

#endif
