/* Pointwise convolution in tiles: some filters x some positions at a time. Positions are brought into the scratch memory
 * as numbers of 16 bits, a stripe of them at a time, or read where they are.
 */
#ifndef NN_POINTWISE_TILES_H
#define NN_POINTWISE_TILES_H

#include "number.h"
#include "simd.h"

typedef struct {
    int input_width, input_channels;
    int output_width, output_channels;
    int stride_height, stride_width;
    int positions;      /* of the output */
    int words;          /* of a position: pairs of numbers */
    int filters;        /* of a tile */
    int tile_positions; /* likewise */
    int stripe;         /* positions that are brought at a time, a multiple of the tile's */
    int end_bytes;      /* the weights of a tile end at a multiple of it */
    int output_bytes;   /* of a number */
    void (*bring)(const void *, int16_t *, int); /* inputs into the scratch memory; NULL where they are read in place */
    void (*weights)(const void *, int16_t *, int);
    void (*tile)(const int16_t *, const int16_t *, void *, const int32_t *, int);
} nn_pointwise_tiles_t;

/* `count` positions from `first` on, side by side */
NN_KERNEL void NN_NAME(bring_positions)(int16_t *to, const number_t *input, int first, int count,
                                        const nn_pointwise_tiles_t p)
{
    const int channels = p.input_channels, words = channels * (int)sizeof(number_t) / 4;
    if (p.stride_height == 1 && p.stride_width == 1) {
        p.bring(input + first * channels, to, count * words);
        return;
    }
    int row = first / p.output_width, column = first % p.output_width;
    for (int i = 0; i < count; i++, to += channels) {
        p.bring(input + (row * p.stride_height * p.input_width + column * p.stride_width) * channels, to, words);
        if (++column == p.output_width) {
            column = 0;
            row++;
        }
    }
}

/* kernel: filters of a tile by tile, as `weights` makes them ready for it; bias: records of the filters */
NN_KERNEL void NN_NAME(pointwise_tiles)(const number_t *restrict input, void *restrict output, void *scratch,
                                        const weight_t *kernel, const int32_t *bias, const nn_pointwise_tiles_t p)
{
    const int weight_numbers = 2 * p.filters * p.words;
    int16_t *const end = (int16_t *)NN_ALIGN_UP((int16_t *)scratch + weight_numbers, p.end_bytes);
    int16_t *const weights = end - weight_numbers;
    for (int start = 0; start < p.positions; start += p.stripe) {
        const int stop = start + p.stripe < p.positions ? start + p.stripe : p.positions;
        const int tiles = (stop - start) / p.tile_positions;
        const int last = stop - p.tile_positions; /* some positions twice, rather than some that are not there */
        const int first = last < start ? last : start;
        const int16_t *x = (const int16_t *)(const void *)input + first * p.input_channels;
        if (p.bring) {
            NN_NAME(bring_positions)(end, input, first, stop - first, p);
            x = end;
        }
        for (int filter = 0; filter < p.output_channels; filter += p.filters) {
            const int at = filter + p.filters <= p.output_channels ? filter : p.output_channels - p.filters;
            uint8_t *const to = (uint8_t *)output + at * p.output_bytes;
            p.weights(kernel + filter * 2 * p.words, weights, weight_numbers * (int)sizeof(weight_t) / 4);
            if (tiles > 0) {
                p.tile(x, weights, to + start * p.output_channels * p.output_bytes, bias + NN_RECORD * at, tiles);
            }
            if (start + tiles * p.tile_positions < stop) {
                p.tile(x + (last - first) * 2 * p.words, weights, to + last * p.output_channels * p.output_bytes,
                       bias + NN_RECORD * at, 1);
            }
        }
    }
}

#endif
