/* Filters x positions in float32, each sum in the order of plain C: the twin of nn_float_tile_*.S */
#ifndef NN_FLOAT_TILE_H
#define NN_FLOAT_TILE_H

#include "number.h"

typedef struct {
    int filters, positions;  /* of the tile */
    int taps;                /* of a row of the window */
    int tap, distance, step; /* numbers from one tap, position and tile to the next one */
    int outputs;             /* of the layer at each position */
    NN_FINISH
} nn_float_tile_t;

/* weights: rows x taps x filters; pitch: bytes from a row of the input to the next one */
NN_KERNEL void NN_NAME(float_tile)(const number_t *input, const number_t *weights, number_t *output,
                                   const number_t *bias, int tiles, int rows, int pitch, const nn_float_tile_t p)
{
    for (int position = 0; position < tiles * p.positions; position++, output += p.outputs) {
        const number_t *const x = input + position / p.positions * p.step + position % p.positions * p.distance;
        for (int filter = 0; filter < p.filters; filter++) {
            number_t sum = bias[filter];
            for (int row = 0; row < rows; row++) {
                for (int tap = 0; tap < p.taps; tap++) {
                    sum += weights[(row * p.taps + tap) * p.filters + filter] *
                           x[row * (pitch / (int)sizeof(number_t)) + tap * p.tap];
                }
            }
            output[filter] = nn_finish(sum, filter, p);
        }
    }
}

#endif
