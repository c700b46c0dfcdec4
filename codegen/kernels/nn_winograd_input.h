/* Tiles of positions become points of F(4,3) or F(2,3): the twin of nn_winograd_input_*.S */
#ifndef NN_WINOGRAD_INPUT_H
#define NN_WINOGRAD_INPUT_H

#include "number.h"
#include "simd.h"

typedef struct {
    int outputs; /* of a tile: 4 or 2 */
    int offset;  /* what point 1 of F(2,3) is less */
    int channels;
    int is_unsigned; /* have inputs no sign? */
    int cell_step;   /* numbers from one tile's to the next one's */
    int apart;       /* numbers from point to point */
} nn_winograd_input_t;

/* The points of pairs of six positions, and of four */
static inline void nn_winograd_input_six(const uint32_t *d, int16_t *output, int apart)
{
    const uint32_t u = nn_subtract_pairs(d[4], d[2]), v = nn_subtract_pairs(d[1], d[3]);
    const uint32_t twice_v = nn_add_pairs(v, v), four_v = nn_add_pairs(twice_v, twice_v);
    uint32_t t = nn_subtract_pairs(d[0], d[2]), a = nn_add_pairs(d[2], d[2]), b = nn_add_pairs(d[1], d[1]);
    t = nn_add_pairs(t, t);
    a = nn_subtract_pairs(d[4], nn_add_pairs(a, a));
    b = nn_subtract_pairs(d[3], nn_add_pairs(b, b));
    nn_put_word(output, nn_add_pairs(nn_add_pairs(t, t), u));
    nn_put_word(output + apart, nn_add_pairs(a, b));
    nn_put_word(output + 2 * apart, nn_subtract_pairs(a, b));
    nn_put_word(output + 3 * apart, nn_subtract_pairs(u, twice_v));
    nn_put_word(output + 4 * apart, nn_add_pairs(u, twice_v));
    nn_put_word(output + 5 * apart, nn_add_pairs(nn_subtract_pairs(d[5], d[3]), four_v));
}

static inline void nn_winograd_input_four(const uint32_t *d, int16_t *output, int apart, int offset)
{
    nn_put_word(output, nn_subtract_pairs(d[0], d[2]));
    nn_put_word(output + apart, nn_add_pairs(d[2], d[1]) ^ nn_pair(offset, offset));
    nn_put_word(output + 2 * apart, nn_subtract_pairs(d[2], d[1]));
    nn_put_word(output + 3 * apart, nn_subtract_pairs(d[1], d[3]));
}

/* Words of the positions: pair `odd` of each, as numbers of 16 bits */
NN_KERNEL void NN_NAME(winograd_input_pair)(const number_t *input, int16_t *output, int odd, const nn_winograd_input_t p)
{
    uint32_t d[6];
    for (int i = 0; i < p.outputs + 2; i++) {
        const uint32_t word = nn_word(input + i * p.channels);
        d[i] = sizeof(number_t) == 1 ? nn_bytes(word, odd, p.is_unsigned) : word;
    }
    if (p.outputs == 4) {
        nn_winograd_input_six(d, output, p.apart);
    } else {
        nn_winograd_input_four(d, output, p.apart, p.offset);
    }
}

NN_KERNEL void NN_NAME(winograd_input)(const void *input, int16_t *output, int cells, const nn_winograd_input_t p)
{
    const int of_a_word = 4 / (int)sizeof(number_t);
    for (int cell = 0; cell < cells; cell++) {
        const number_t *const from = (const number_t *)input + cell * p.cell_step;
        for (int channel = 0; channel < p.channels; channel += of_a_word) {
            for (int pair = 0; pair < of_a_word / 2; pair++) {
                NN_NAME(winograd_input_pair)(from + channel, output + cell * p.channels + channel + 2 * pair, pair, p);
            }
        }
    }
}

#endif
