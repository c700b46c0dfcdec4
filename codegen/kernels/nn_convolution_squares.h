/* Convolution with windows of 3 x 3 by exact two-dimensional Winograd, F(4 x 4, 3 x 3): tiles of 6 x 6 inputs become 36
 * points, V; so do filters, U; their products, summed over channels, give 16 outputs.
 *
 * V lies in groups of four tiles: [groups][36 points][4 tiles][channels]. The last group may have the last tile again.
 */
#ifndef NN_CONVOLUTION_SQUARES_H
#define NN_CONVOLUTION_SQUARES_H

#include "number.h"
#include "simd.h"

typedef struct {
    int input_height, input_width, input_channels;
    int output_height, output_width, output_channels;
    int window_height, window_width, stride_height, stride_width;
    int padding_top, padding_left;
    int channels;     /* as V and U have them: the others are zeros */
    int output_bytes; /* of a number */
    int stripe;       /* groups of tiles that are transformed at a time */
    int end_bytes;    /* numbers of the first tile at each point end at a multiple of it */
    int begin;        /* of V, from such a multiple */
    uint32_t fill;    /* numbers that stand for 0, a word of them */
    void (*transform)(const void *, int16_t *, int);
    void (*weights)(const void *, int16_t *); /* NULL: U lies in flash */
    void (*tile)(const int16_t *, const int16_t *, void *, const int32_t *, const int32_t *, int);
} nn_convolution_squares_t;

/* The last word of a position, of which `left` numbers are there */
NN_KERNEL uint32_t NN_NAME(squares_rest)(const number_t *from, int left)
{
    uint32_t word = (uint8_t)from[0];
    for (int i = 1; i < left; i++) {
        word |= (uint32_t)(uint8_t)from[i] << 8 * i;
    }
    return word;
}

/* A position of the input as V has its channels */
NN_KERNEL void NN_NAME(squares_position)(number_t *to, const number_t *from, const nn_convolution_squares_t p)
{
    const int all = p.channels == p.input_channels, whole = all ? p.channels : p.channels - 4;
    for (int channel = 0; channel < whole; channel += 4) {
        uint32_t word = nn_word(from + channel);
        NN_IN_REGISTER(word);
        nn_put_word(to + channel, word);
    }
    if (!all) {
        nn_put_word(to + whole, NN_NAME(squares_rest)(from + whole, p.input_channels - whole));
    }
}

/* A tile that reaches beyond the input, or whose channels are not as V has them, with `fill` where there is nothing */
NN_KERNEL void NN_NAME(squares_edge)(number_t *tile, const number_t *input, int top, int left,
                                     const nn_convolution_squares_t p)
{
    for (int row = top; row < top + 6; row++) {
        for (int column = left; column < left + 6; column++) {
            const int inside = row >= 0 && row < p.input_height && column >= 0 && column < p.input_width;
            if (inside) {
                NN_NAME(squares_position)(tile, input + (row * p.input_width + column) * p.input_channels, p);
            }
            for (int channel = 0; channel < p.channels && !inside; channel += 4) {
                nn_put_word(tile + channel, p.fill);
            }
            tile += p.channels;
        }
    }
}

/* V of the tile whose first output is that one */
NN_KERNEL void NN_NAME(squares_points)(const number_t *input, int16_t *v, number_t *edge, int row, int column,
                                       const nn_convolution_squares_t p)
{
    const int top = row - p.padding_top, left = column - p.padding_left;
    if (p.channels == p.input_channels && top >= 0 && top + 6 <= p.input_height && left >= 0 && left + 6 <= p.input_width) {
        p.transform(input + (top * p.input_width + left) * p.channels, v, p.input_width * p.channels);
    } else {
        NN_NAME(squares_edge)(edge, input, top, left, p);
        p.transform(edge, v, 6 * p.channels);
    }
}

/* kernel: filters as they are, with zeros for channels that V has besides, or U: [pairs of filters][36 points]; bias: records */
NN_KERNEL void NN_NAME(convolution_squares)(const number_t *restrict input, void *restrict output, void *scratch,
                                            const void *kernel, const int32_t *bias, const nn_convolution_squares_t p)
{
    const int across = (p.output_width + 3) / 4, tiles = across * ((p.output_height + 3) / 4), all = (tiles + 3) / 4;
    const int filters = p.output_channels, group = 36 * 4 * p.channels, of_a_pair = 36 * 2 * p.channels;
    uint8_t *const points = (uint8_t *)NN_ALIGN_UP((uint8_t *)scratch, p.end_bytes) + p.begin;
    int16_t *const v = (int16_t *)(void *)points;
    int32_t *const offsets = (int32_t *)(void *)(v + p.stripe * group);
    number_t *const edge = (number_t *)(offsets + 4 * p.stripe);
    int16_t *const made = (int16_t *)(void *)(edge + 36 * p.channels);
    for (int first = 0; first < all; first += p.stripe) {
        const int groups = first + p.stripe < all ? p.stripe : all - first;
        for (int i = 0; i < 4 * groups; i++) {
            const int index = 4 * first + i < tiles ? 4 * first + i : tiles - 1;
            const int row = 4 * (index / across), last_row = p.output_height - 4;
            const int column = 4 * (index % across), last_column = p.output_width - 4;
            const int at = row < last_row ? row : last_row, from = column < last_column ? column : last_column;
            offsets[i] = (at * p.output_width + from) * filters * p.output_bytes;
            NN_NAME(squares_points)(input, v + i / 4 * group + i % 4 * p.channels, edge, at, from, p);
        }
        for (int pair = 0; pair < filters; pair += 2) {
            const int filter = pair + 2 <= filters ? pair : filters - 2; /* of an odd number one twice */
            const int16_t *const u = p.weights ? made : (const int16_t *)kernel + pair / 2 * of_a_pair;
            if (p.weights) {
                p.weights((const int8_t *)kernel + 9 * filter * p.channels, made);
            }
            p.tile(v, u, (uint8_t *)output + filter * p.output_bytes, bias + NN_RECORD * filter, offsets, groups);
        }
    }
}

#endif
