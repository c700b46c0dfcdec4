/* Convolution turned round: an input is spread over a window of the output. Each output gathers the inputs that reach it. */
#ifndef NN_TRANSPOSED_CONVOLUTION_H
#define NN_TRANSPOSED_CONVOLUTION_H

#include "number.h"

typedef struct {
    int input_height, input_width, input_channels;
    int output_height, output_width, output_channels;
    int window_height, window_width, stride_height, stride_width;
    int gap_height, gap_width; /* positions between two taps: dilation - 1 */
    int cut_top, cut_left;     /* rows and columns before the output begins */
    int unsigned_input;        /* has the input no sign? */
    int input_zero;
    NN_FINISH
} nn_transposed_convolution_t;

/* The input whose window reaches a position with this tap, or -1. */
static inline int nn_spreading(int position, int tap, int stride, int length)
{
    const int from = position - tap;
    return from >= 0 && from % stride == 0 && from / stride < length ? from / stride : -1;
}

/* kernel: filters x window x channels; bias: at the scale of the sums */
NN_KERNEL void NN_NAME(transposed_convolution)(const number_t *restrict input, number_t *restrict output,
                                               const number_t *kernel, const accumulator_t *bias,
                                               const nn_transposed_convolution_t p)
{
    for (int y = 0; y < p.output_height; y++) {
        for (int x = 0; x < p.output_width; x++) {
            const number_t *weights = kernel;
            for (int filter = 0; filter < p.output_channels; filter++) {
                accumulator_t sum = bias[filter];
                for (int row = 0; row < p.window_height; row++) {
                    const int from_y = nn_spreading(y + p.cut_top, row * (p.gap_height + 1), p.stride_height, p.input_height);
                    for (int column = 0; column < p.window_width; column++, weights += p.input_channels) {
                        const int from_x =
                            nn_spreading(x + p.cut_left, column * (p.gap_width + 1), p.stride_width, p.input_width);
                        if (from_y < 0 || from_x < 0) {
                            continue;
                        }
                        const number_t *taps = input + (from_y * p.input_width + from_x) * p.input_channels;
                        for (int i = 0; i < p.input_channels; i++) {
                            sum += (accumulator_t)weights[i] * (nn_read(taps[i], p.unsigned_input) - (long_number_t)p.input_zero);
                        }
                    }
                }
                *output++ = (number_t)nn_finish(sum, filter, p);
            }
        }
    }
}

#endif
