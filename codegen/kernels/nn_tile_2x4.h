/* 2 filters x 4 positions, scalar products of pairs of 16 bits: the twin of nn_tile_2x4_*.S */
#ifndef NN_TILE_2X4_H
#define NN_TILE_2X4_H

#include "number.h"
#include "simd.h"

typedef struct {
    int words;   /* of a row: two numbers each */
    int filters; /* of the layer: as many outputs a position */
    NN_FINISH
} nn_tile_2x4_t;

/* input: tiles x words x 4 positions; weights: words x 2 filters */
NN_KERNEL void NN_NAME(tile_2x4)(const int16_t *input, const int16_t *weights, void *output, const int32_t *bias,
                                 int tiles, const nn_tile_2x4_t p)
{
    for (int position = 0; position < 4 * tiles; position++) {
        for (int filter = 0; filter < 2; filter++) {
            int32_t sum = bias[filter];
            for (int word = 0; word < p.words; word++) {
                const int x = (position / 4 * p.words + word) * 4 + position % 4;
                sum = nn_dual(nn_word(weights + 2 * (2 * word + filter)), nn_word(input + 2 * x), sum);
            }
            nn_store_at(output, position * p.filters + filter, nn_finish(sum, filter, p), p.storage);
        }
    }
}

#endif
