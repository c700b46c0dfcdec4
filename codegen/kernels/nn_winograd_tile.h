/* F(4,3) or F(2,3) for 2 filters x 4 tiles: the twin of nn_winograd_<sizes>.S */
#ifndef NN_WINOGRAD_TILE_H
#define NN_WINOGRAD_TILE_H

#include "number.h"
#include "simd.h"

typedef struct {
    int outputs;            /* of a tile: 4 or 2 */
    int words;              /* that a sum is over */
    int apart;              /* weights: numbers from point to point */
    int tile, point, group; /* input: numbers from tile to tile, point to point, four tiles to four tiles */
    int filters;            /* of the layer: as many outputs a position */
    int output_tile, output_group;
    NN_FINISH
} nn_winograd_tile_t;

/* M of six points -> four outputs of a filter, and of four points two, before they are shifted and saturated */
static inline void nn_winograd_four(const uint32_t *m, int32_t bias, int32_t *outputs)
{
    const uint32_t third = 0xAAAAAAABu, m1 = m[1] + (uint32_t)bias;
    const uint32_t a = third * (m1 + m[2]), b = third * (m[3] + m[4]), c = third * (m1 - m[2]), d = third * (m[3] - m[4]);
    outputs[0] = (int32_t)(2 * m[0] + b - 4 * a) >> 3;
    outputs[1] = (int32_t)(d - 2 * c) >> 2;
    outputs[2] = (int32_t)(b - a) >> 1;
    outputs[3] = (int32_t)(2 * (m[5] + d) - c) >> 1;
}

static inline void nn_winograd_two(const uint32_t *m, int32_t bias, int32_t *outputs)
{
    const int32_t half1 = (int32_t)m[1] >> 1, half2 = (int32_t)m[2] >> 1;
    outputs[0] = (int32_t)(m[0] + (uint32_t)half1 + (uint32_t)half2 + (m[1] & 1) + (uint32_t)bias);
    outputs[1] = (int32_t)((uint32_t)half1 - (uint32_t)half2 - m[3] + (uint32_t)bias);
}

NN_KERNEL void NN_NAME(winograd_tile)(const int16_t *input, const int16_t *weights, void *output, const int32_t *bias,
                                      int groups, int shift, const nn_winograd_tile_t p)
{
    for (int tile = 0; tile < 4 * groups; tile++) {
        for (int filter = 0; filter < 2; filter++) {
            const int32_t *const record = bias + NN_RECORD * filter;
            uint32_t m[6];
            int32_t outputs[4];
            for (int point = 0; point < p.outputs + 2; point++) {
                const int16_t *const v = input + tile / 4 * p.group + tile % 4 * p.tile + point * p.point;
                const int16_t *const u = weights + point * p.apart + 2 * filter;
                m[point] = 0;
                for (int word = 0; word < p.words; word++) {
                    m[point] = (uint32_t)nn_dual(nn_word(v + 2 * word), nn_word(u + 4 * word), (int32_t)m[point]);
                }
            }
            if (p.outputs == 4) {
                nn_winograd_four(m, record[0], outputs);
            } else {
                nn_winograd_two(m, record[0], outputs);
            }
            for (int i = 0; i < p.outputs; i++) {
                const int index = tile / 4 * p.output_group + tile % 4 * p.output_tile + i * p.filters + filter;
                nn_store_at(output, index, nn_finish_of(outputs[i] >> shift, record, p), p.storage);
            }
        }
    }
}

#endif
