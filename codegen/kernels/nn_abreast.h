/* Some channels of a depthwise convolution of integers, where they lie: the twin of nn_abreast_*.S */
#ifndef NN_ABREAST_H
#define NN_ABREAST_H

#include "number.h"
#include "simd.h"

typedef struct {
    int window_height, window_width, stride_height, stride_width;
    int padding_top, padding_left;
    int rows, width; /* of outputs */
    int input_height, input_width, channels;
    int group;        /* channels of a block: 1 or 2 */
    int record_words; /* of a channel: its bias, and what scales its sums */
    int is_unsigned;  /* has the input no sign? */
    NN_FINISH
} nn_abreast_t;

/* weights: blocks of records, then weights of 16 bits: taps x channels */
NN_KERNEL void NN_NAME(abreast)(const void *input, const void *weights, void *output, int blocks, const nn_abreast_t p)
{
    const int taps = p.window_height * p.window_width;
    const int words = p.group * p.record_words + (p.group * taps + 1) / 2;
    for (int channel = 0; channel < blocks * p.group; channel++) {
        const int32_t *const block = (const int32_t *)weights + channel / p.group * words;
        const int32_t *const record = block + channel % p.group * p.record_words;
        const int32_t *const own = block + p.group * p.record_words;
        for (int position = 0; position < p.rows * p.width; position++) {
            const int y = position / p.width * p.stride_height - p.padding_top;
            const int x = position % p.width * p.stride_width - p.padding_left;
            uint32_t sum = (uint32_t)record[0];
            for (int tap = 0; tap < taps; tap++) {
                const int row = y + tap / p.window_width, column = x + tap % p.window_width;
                if (row >= 0 && row < p.input_height && column >= 0 && column < p.input_width) {
                    const int place = (row * p.input_width + column) * p.channels + channel;
                    const int weight = tap * p.group + channel % p.group;
                    const uint32_t pair = nn_word(own + weight / 2);
                    const int32_t number = nn_read(((const number_t *)input)[place], p.is_unsigned);
                    sum += (uint32_t)((weight % 2 ? nn_high(pair) : nn_low(pair)) * number);
                }
            }
            nn_store_at(output, position * p.channels + channel, nn_finish_of((int32_t)sum, record, p), p.storage);
        }
    }
}

#endif
