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

/* Taps by which inputs reach a position: every `step` from `first` on, the first of them from input `from`, each of the
 * others from the input before. */
typedef struct {
    int first, end, step, from;
} nn_reach_t;

/* With gaps between taps each is tried by itself. */
static inline nn_reach_t nn_reaching(int position, int window, int stride, int gap, int length)
{
    if (gap) {
        return (nn_reach_t){0, window, 1, 0};
    }
    const int beyond = position - stride * (length - 1); /* a tap before this one would be reached from behind the input */
    int first = position % stride;
    if (beyond > first) {
        first += (beyond - first + stride - 1) / stride * stride;
    }
    return (nn_reach_t){first, position < window ? position + 1 : window, stride, (position - first) / stride};
}

/* The input whose window reaches a position with this tap, or -1. */
static inline int nn_spreading(int position, int tap, int stride, int length)
{
    const int from = position - tap;
    return from >= 0 && from % stride == 0 && from / stride < length ? from / stride : -1;
}

NN_KERNEL accumulator_t NN_NAME(transposed_taps)(accumulator_t sum, const weight_t *weights, const number_t *taps,
                                                 const nn_transposed_convolution_t p)
{
    for (int i = 0; i < p.input_channels; i++) {
        sum += (accumulator_t)weights[i] * (nn_read(taps[i], p.unsigned_input) - (long_number_t)p.input_zero);
    }
    return sum;
}

/* kernel: filters x window x channels; bias: at the scale of the sums */
NN_KERNEL void NN_NAME(transposed_convolution)(const number_t *restrict input, number_t *restrict output,
                                               const weight_t *kernel, const accumulator_t *bias,
                                               const nn_transposed_convolution_t p)
{
    const int gaps = p.gap_height || p.gap_width;
    for (int y = 0; y < p.output_height; y++) {
        const nn_reach_t rows = nn_reaching(y + p.cut_top, p.window_height, p.stride_height, gaps, p.input_height);
        for (int x = 0; x < p.output_width; x++) {
            const nn_reach_t columns = nn_reaching(x + p.cut_left, p.window_width, p.stride_width, gaps, p.input_width);
            const weight_t *weights = kernel;
            for (int filter = 0; filter < p.output_channels; filter++) {
                accumulator_t sum = bias[filter];
                int from_y = rows.from;
                for (int row = rows.first; row < rows.end; row += rows.step, from_y--) {
                    if (gaps) {
                        from_y = nn_spreading(y + p.cut_top, row * (p.gap_height + 1), p.stride_height, p.input_height);
                    }
                    int from_x = columns.from;
                    for (int column = columns.first; column < columns.end; column += columns.step, from_x--) {
                        if (gaps) {
                            from_x = nn_spreading(x + p.cut_left, column * (p.gap_width + 1), p.stride_width, p.input_width);
                            if (from_y < 0 || from_x < 0) {
                                continue;
                            }
                        }
                        sum = NN_NAME(transposed_taps)(sum, weights + (row * p.window_width + column) * p.input_channels,
                                                       input + (from_y * p.input_width + from_x) * p.input_channels, p);
                    }
                }
                weights += p.window_height * p.window_width * p.input_channels;
                *output++ = (number_t)nn_finish(sum, filter, p);
            }
        }
    }
}

#endif
