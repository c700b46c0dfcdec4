/* Some filters x some positions, scalar products of pairs of 16 bits: the twin of nn_tile_*.S */
#ifndef NN_TILE_H
#define NN_TILE_H

#include "number.h"
#include "simd.h"

typedef struct {
    int filters, positions;                  /* of a tile */
    int words;                               /* of a position: two numbers each */
    int outputs;                             /* filters of the layer: as many outputs a position */
    int position_step, word_step, tile_step; /* bytes to the next one in the input */
    NN_FINISH
} nn_tile_t;

/* weights: words x filters */
NN_KERNEL void NN_NAME(tile)(const int16_t *input, const int16_t *weights, void *output, const int32_t *bias,
                             int tiles, const nn_tile_t p)
{
    for (int tile = 0; tile < tiles; tile++) {
        for (int position = 0; position < p.positions; position++) {
            const uint8_t *const from = (const uint8_t *)input + tile * p.tile_step + position * p.position_step;
            for (int filter = 0; filter < p.filters; filter++) {
                const int32_t *const record = bias + NN_RECORD * filter;
                int32_t sum = record[0];
                for (int word = 0; word < p.words; word++) {
                    const int16_t *const pair = weights + 2 * (word * p.filters + filter);
                    sum = nn_dual(nn_word(pair), nn_word(from + word * p.word_step), sum);
                }
                const int index = (tile * p.positions + position) * p.outputs + filter;
                nn_store_at(output, index, nn_finish_of(sum, record, p), p.storage);
            }
        }
    }
}

#endif
