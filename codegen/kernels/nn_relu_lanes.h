/* max(0, x), with or without a ceiling, some numbers at a time. May work in place. */
#ifndef NN_RELU_LANES_H
#define NN_RELU_LANES_H

#include "lanes.h"

typedef struct {
    int elements;
    int unsigned_input; /* has the input no sign? */
    NN_LIMIT
} nn_relu_lanes_t;

NN_PART void NN_NAME(relu_words)(const number_t *input, number_t *output, const int words, const nn_relu_lanes_t p)
{
    lane_t x[NN_BLOCK];
    NN_UNROLLED for (int i = 0; i < words; i++) {
        x[i] = nn_lanes(input + i * NN_LANES);
    }
    NN_UNROLLED for (int i = 0; i < words; i++) {
        nn_put_lanes(output + i * NN_LANES, nn_limit_lanes(x[i], p.unsigned_input, p));
    }
}

NN_KERNEL void NN_NAME(relu_lanes)(const number_t *input, number_t *output, const nn_relu_lanes_t p)
{
    const int block = NN_BLOCK * NN_LANES, rest = p.elements % block;
    for (const number_t *const end = input + p.elements - rest; input < end; input += block, output += block) {
        NN_NAME(relu_words)(input, output, NN_BLOCK, p);
    }
    NN_NAME(relu_words)(input, output, rest / NN_LANES, p);
    for (int i = rest / NN_LANES * NN_LANES; i < rest; i++) {
        output[i] = (number_t)nn_activate(nn_read(input[i], p.unsigned_input), p.activation, p.ceiling);
    }
}

#endif
