/* F(4 x 4, 3 x 3) for 2 filters x 4 tiles: the twin of nn_squares_<sizes>.S */
#ifndef NN_SQUARES_TILE_H
#define NN_SQUARES_TILE_H

#include "number.h"
#include "simd.h"

typedef struct {
    int words;   /* that a sum is over */
    int apart;   /* weights: numbers from point to point */
    int filters; /* of the layer: as many outputs a position */
    int row;     /* outputs from row to row */
    NN_FINISH
} nn_squares_tile_t;

/* M of six points, so many numbers `apart` -> 24, 12, 6 and 6 times four outputs */
static inline void nn_squares_four(const uint32_t *m, int apart, uint32_t *outputs)
{
    const uint32_t m0 = m[0], m1 = m[apart], m2 = m[2 * apart], m3 = m[3 * apart], m4 = m[4 * apart], m5 = m[5 * apart];
    const uint32_t a = m1 + m2, b = m3 + m4, c = m1 - m2, d = m3 - m4;
    outputs[0] = 6 * m0 - 4 * a + b;
    outputs[1] = d - 2 * c;
    outputs[2] = b - a;
    outputs[3] = 2 * (3 * m5 + d) - c;
}

/* Sums of 36 points -> 64 times 16 outputs, modulo 2^32 */
static inline void nn_squares_outputs(const uint32_t *m, uint32_t bias, uint32_t outputs[4][4])
{
    static const int left[4] = {0, 1, 2, 2}; /* what is missing to 24 times, as a power of two */
    uint32_t columns[6][4];
    for (int j = 0; j < 6; j++) {
        nn_squares_four(m + 6 * j, 1, columns[j]);
    }
    for (int i = 0; i < 4; i++) {
        nn_squares_four(&columns[0][i], 4, outputs[i]);
        for (int j = 0; j < 4; j++) {
            const uint32_t ninth = 954437177u << (left[i] + left[j]); /* 9 * 954437177 is 1 modulo 2^32 */
            outputs[i][j] = ninth * outputs[i][j] + (bias << 6);
        }
    }
}

NN_KERNEL void NN_NAME(squares_tile)(const int16_t *input, const int16_t *weights, void *output, const int32_t *bias,
                                     const int32_t *offsets, int groups, const nn_squares_tile_t p)
{
    for (int tile = 0; tile < 4 * groups; tile++) {
        uint8_t *const to = (uint8_t *)output + offsets[tile];
        for (int filter = 0; filter < 2; filter++) {
            const int32_t *const record = bias + NN_RECORD * filter;
            uint32_t m[36], outputs[4][4];
            for (int point = 0; point < 36; point++) {
                const int16_t *const v = input + 2 * p.words * ((tile / 4 * 36 + point) * 4 + tile % 4);
                const int16_t *const u = weights + point * p.apart + 2 * filter;
                m[point] = 0;
                for (int word = 0; word < p.words; word++) {
                    m[point] = (uint32_t)nn_dual(nn_word(v + 2 * word), nn_word(u + 4 * word), (int32_t)m[point]);
                }
            }
            nn_squares_outputs(m, (uint32_t)record[0], outputs);
            for (int i = 0; i < 16; i++) {
                const int index = i / 4 * p.row + i % 4 * p.filters + filter;
                nn_store_at(to, index, nn_finish_of((int32_t)outputs[i / 4][i % 4] >> 6, record, p), p.storage);
            }
        }
    }
}

#endif
