/* Rows of three taps become points of F(4,3) or F(2,3): the twin of nn_winograd_weights_*.S */
#ifndef NN_WINOGRAD_WEIGHTS_H
#define NN_WINOGRAD_WEIGHTS_H

#include "number.h"
#include "simd.h"

typedef struct {
    int outputs; /* of a tile: 4 or 2 */
    int channels, rows;
    int apart; /* numbers from point to point */
} nn_winograd_weights_t;

/* The points of pairs of three taps of F(2,3), and of F(4,3) */
static inline void nn_winograd_weights_four(const uint32_t *g, int16_t *output, int apart)
{
    const uint32_t s = nn_add_pairs(g[0], g[2]);
    nn_put_word(output, g[0]);
    nn_put_word(output + apart, nn_add_pairs(s, g[1]));
    nn_put_word(output + 2 * apart, nn_subtract_pairs(s, g[1]));
    nn_put_word(output + 3 * apart, g[2]);
}

static inline void nn_winograd_weights_six(const uint32_t *g, int16_t *output, int apart)
{
    const uint32_t twice = nn_add_pairs(g[1], g[1]), two = nn_add_pairs(g[2], g[2]);
    const uint32_t t = nn_add_pairs(nn_add_pairs(two, two), g[0]);
    nn_winograd_weights_four(g, output, apart);
    nn_put_word(output + 3 * apart, nn_add_pairs(t, twice));
    nn_put_word(output + 4 * apart, nn_subtract_pairs(t, twice));
    nn_put_word(output + 5 * apart, g[2]);
}

/* Words of the three taps: pair `odd` of each, as numbers of 16 bits */
NN_KERNEL void NN_NAME(winograd_weight_pair)(const weight_t *taps, int16_t *output, int odd, const nn_winograd_weights_t p)
{
    uint32_t g[3];
    for (int i = 0; i < 3; i++) {
        const uint32_t word = nn_word(taps + i * p.channels);
        g[i] = sizeof(weight_t) == 1 ? nn_bytes(word, odd, 0) : word;
    }
    if (p.outputs == 4) {
        nn_winograd_weights_six(g, output, p.apart);
    } else {
        nn_winograd_weights_four(g, output, p.apart);
    }
}

NN_KERNEL void NN_NAME(winograd_weights)(const void *input, int16_t *output, const nn_winograd_weights_t p)
{
    const int of_a_word = 4 / (int)sizeof(weight_t);
    for (int row = 0; row < 2 * p.rows; row++) {
        const weight_t *const taps = (const weight_t *)input + 3 * row * p.channels;
        int16_t *const to = output + row % p.rows * 2 * p.channels + row / p.rows * 2;
        for (int channel = 0; channel < p.channels; channel += of_a_word) {
            for (int pair = 0; pair < of_a_word / 2; pair++) {
                NN_NAME(winograd_weight_pair)(taps + channel, to + 2 * (channel + 2 * pair), pair, p);
            }
        }
    }
}

#endif
