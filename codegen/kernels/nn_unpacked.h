/* All filters at the positions of a line: the twin of nn_unpacked_*.S, which has the weights in its code */
#ifndef NN_UNPACKED_H
#define NN_UNPACKED_H

#include "number.h"
#include "simd.h"

typedef struct {
    int positions, position_step; /* of a line; steps are in bytes */
    int outputs;                  /* filters of the layer */
    int groups, group_step;
    int words;                    /* pairs of numbers that a filter reads at a position */
    const int32_t *places;        /* of these, in bytes */
    const int8_t *weights;        /* filters x words x 2 */
    NN_FINISH
} nn_unpacked_t;

NN_KERNEL void NN_NAME(unpacked)(const int16_t *input, void *output, const int32_t *bias, const nn_unpacked_t p)
{
    const int filters = p.outputs / p.groups;
    for (int position = 0; position < p.positions; position++) {
        for (int filter = 0; filter < p.outputs; filter++) {
            const uint8_t *const from =
                (const uint8_t *)input + position * p.position_step + filter / filters * p.group_step;
            const int32_t *const record = bias + NN_RECORD * filter;
            int32_t sum = record[0];
            for (int word = 0; word < p.words; word++) {
                const int8_t *const pair = p.weights + 2 * (filter * p.words + word);
                sum = nn_dual(nn_pair(pair[0], pair[1]), nn_word(from + p.places[word]), sum);
            }
            nn_store_at(output, position * p.outputs + filter, nn_finish_of(sum, record, p), p.storage);
        }
    }
}

#endif
