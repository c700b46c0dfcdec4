/* Some channels of a depthwise convolution of float32, where they lie: the twin of nn_abreast_float_*.S */
#ifndef NN_ABREAST_FLOAT_H
#define NN_ABREAST_FLOAT_H

#include "number.h"

typedef struct {
    int window_height, window_width, stride_height, stride_width;
    int padding_top, padding_left;
    int rows, width; /* of outputs */
    int input_height, input_width, channels;
    int group; /* channels of a block */
    NN_FINISH
} nn_abreast_float_t;

/* weights: blocks of biases, then taps x channels */
NN_KERNEL void NN_NAME(abreast_float)(const void *input, const void *weights, void *output, int blocks,
                                      const nn_abreast_float_t p)
{
    const int taps = p.window_height * p.window_width;
    for (int channel = 0; channel < blocks * p.group; channel++) {
        const float *const own = (const float *)weights + channel / p.group * p.group * (1 + taps) + channel % p.group;
        for (int position = 0; position < p.rows * p.width; position++) {
            const int y = position / p.width * p.stride_height - p.padding_top;
            const int x = position % p.width * p.stride_width - p.padding_left;
            float sum = own[0];
            for (int tap = 0; tap < taps; tap++) {
                const int row = y + tap / p.window_width, column = x + tap % p.window_width;
                if (row >= 0 && row < p.input_height && column >= 0 && column < p.input_width) {
                    const float number = ((const float *)input)[(row * p.input_width + column) * p.channels + channel];
                    sum += own[(1 + tap) * p.group] * number;
                }
            }
            ((float *)output)[position * p.channels + channel] = nn_finish(sum, channel, p);
        }
    }
}

#endif
