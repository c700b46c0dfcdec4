/* Convolution with windows of three columns by exact Winograd, F(4,3) or F(2,3) along the rows: tiles of six or four inputs
 * become as many points, V; so do filters, U; their products, summed over channels and rows of the window, give four
 * outputs, or two.
 *
 * V lies in blocks: a block is four tiles side by side in a row, or a column of tiles with all rows that its windows see.
 */
#ifndef NN_CONVOLUTION_WINOGRAD_H
#define NN_CONVOLUTION_WINOGRAD_H

#include "number.h"
#include "simd.h"

typedef struct {
    int input_height, input_width, input_channels;
    int output_height, output_width, output_channels;
    int window_height, window_width, stride_height, stride_width;
    int padding_top, padding_left;
    int outputs;      /* of a tile: 4 or 2, from two points more */
    int channels;     /* as V and U have them: the others are zeros */
    int output_bytes; /* of a number */
    int rows;         /* of outputs in a block; 0: blocks are four tiles in a row */
    int cells;        /* tiles of V in a block */
    int stripe;       /* blocks that are transformed at a time */
    int end_bytes;    /* each point of U ends at a multiple of it */
    int apart;        /* bytes from point to point of U */
    int begin;        /* of U, from a multiple of end_bytes */
    int shift;        /* for a tile that has to be told */
    uint32_t fill;    /* numbers that stand for 0, a word of them */
    void (*transform)(const void *, int16_t *, int);
    void (*weights)(const void *, int16_t *);
    void (*tile)(const int16_t *, const int16_t *, void *, const int32_t *, int, int);
} nn_convolution_winograd_t;

/* Where in the input the tile `cell` of a block begins: above or left of it, too, where there is padding. */
NN_KERNEL int NN_NAME(winograd_row)(int block, int cell, const nn_convolution_winograd_t p)
{
    const int columns = (p.output_width + p.outputs - 1) / p.outputs, last = p.output_height - p.rows;
    const int row = block / columns * p.rows;
    return p.rows ? (row < last ? row : last) + cell - p.padding_top : 0;
}

NN_KERNEL int NN_NAME(winograd_column)(int block, int cell, const nn_convolution_winograd_t p)
{
    const int columns = (p.output_width + p.outputs - 1) / p.outputs, tiles = p.rows ? 1 : 4;
    const int column = (p.rows ? block % columns : 4 * block) * p.outputs;
    const int last = p.output_width - p.outputs * tiles;
    return (column < last ? column : last) + (p.rows ? 0 : p.outputs * cell) - p.padding_left;
}

/* The last word of a position, of which `left` numbers are there */
NN_KERNEL uint32_t NN_NAME(winograd_rest)(const number_t *from, int left)
{
    const int bits = 8 * (int)sizeof(number_t);
    const uint32_t mask = (1u << bits) - 1;
    uint32_t word = (uint32_t)from[0] & mask;
    for (int i = 1; i < left; i++) {
        word |= ((uint32_t)from[i] & mask) << i * bits;
    }
    return word;
}

/* A tile that reaches beyond the input, or whose channels are not as V has them, with `fill` where there is nothing. */
NN_KERNEL void NN_NAME(winograd_edge)(number_t *tile, const number_t *input, int row, int column,
                                      const nn_convolution_winograd_t p)
{
    const int of_a_word = 4 / (int)sizeof(number_t), there = row >= 0 && row < p.input_height;
    const int first = (row * p.input_width + column) * p.input_channels;
    if (p.channels == p.input_channels) {
        const int begin = column < 0 ? -column * p.channels : 0;
        const int end = there ? (p.input_width - column) * p.channels : 0;
        for (int i = 0; i < (p.outputs + 2) * p.channels; i += of_a_word) {
            nn_put_word(tile + i, i >= begin && i < end ? nn_word(input + (first + i)) : p.fill);
        }
        return;
    }
    const int whole = p.channels - of_a_word; /* channels in words that are full */
    for (int i = 0; i < p.outputs + 2; i++, column++, tile += p.channels) {
        const int inside = there && column >= 0 && column < p.input_width;
        const number_t *const from = input + (inside ? first + i * p.input_channels : 0);
        for (int channel = 0; channel < whole; channel += of_a_word) {
            nn_put_word(tile + channel, inside ? nn_word(from + channel) : p.fill);
        }
        nn_put_word(tile + whole, inside ? NN_NAME(winograd_rest)(from + whole, p.input_channels - whole) : p.fill);
    }
}

/* V of a block; `edge` has room for one tile. */
NN_KERNEL void NN_NAME(winograd_block)(const number_t *input, int16_t *v, number_t *edge, int block,
                                       const nn_convolution_winograd_t p)
{
    int some = 1;
    for (int cell = 0; cell < p.cells; cell += some) {
        const int row = NN_NAME(winograd_row)(block, cell, p), column = NN_NAME(winograd_column)(block, cell, p);
        const int all = p.rows ? p.cells - cell : 1, left = p.input_height - row;
        int16_t *const to = v + cell * p.channels;
        some = 1;
        if (p.channels == p.input_channels && row >= 0 && left > 0 && column >= 0 && column + p.outputs + 2 <= p.input_width) {
            const int end = column + (4 - cell) * p.outputs + 2; /* of a row of tiles */
            some = p.rows ? (all < left ? all : left) : end <= p.input_width ? 4 - cell : 1;
            p.transform(input + (row * p.input_width + column) * p.input_channels, to, some);
        } else {
            NN_NAME(winograd_edge)(edge, input, row, column, p);
            p.transform(edge, to, 1);
        }
    }
}

/* Outputs of two filters for blocks from `first` on, whose V begins at `v` */
NN_KERNEL void NN_NAME(winograd_outputs)(const int16_t *v, const int16_t *u, uint8_t *output, const int32_t *bias, int first,
                                         int blocks, const nn_convolution_winograd_t p)
{
    const int block_numbers = (p.outputs + 2) * p.cells * p.channels, position = p.output_channels * p.output_bytes;
    if (!p.rows) {
        const int across = 4 * p.outputs, whole = (first + blocks) * across <= p.output_width ? blocks : blocks - 1;
        if (whole) {
            p.tile(v, u, output + first * across * position, bias, whole, p.shift);
        }
        if (whole < blocks) { /* some positions twice, rather than some that are not there */
            p.tile(v + whole * block_numbers, u, output + (p.output_width - across) * position, bias, 1, p.shift);
        }
        return;
    }
    for (int block = 0; block < blocks; block++, v += block_numbers) {
        const int row = NN_NAME(winograd_row)(first + block, 0, p) + p.padding_top;
        const int column = NN_NAME(winograd_column)(first + block, 0, p) + p.padding_left;
        uint8_t *const to = output + (row * p.output_width + column) * position;
        p.tile(v, u, to, bias, p.rows / 4, p.shift);
        if (p.rows % 4) {
            const int last = p.rows - 4;
            p.tile(v + last * p.channels, u, to + last * p.output_width * position, bias, 1, p.shift);
        }
    }
}

/* kernel: filters as they are, with zeros for channels that V has besides; bias: records, whose biases are at the scale that the point 1 has */
NN_KERNEL void NN_NAME(convolution_winograd)(const number_t *restrict input, void *restrict output, void *scratch,
                                             const weight_t *kernel, const int32_t *bias,
                                             const nn_convolution_winograd_t p)
{
    const int columns = (p.output_width + p.outputs - 1) / p.outputs, filters = p.output_channels;
    const int all = p.rows ? columns * ((p.output_height + p.rows - 1) / p.rows) : (columns + 3) / 4;
    const int block_numbers = (p.outputs + 2) * p.cells * p.channels, taps = p.window_height * 3 * p.channels;
    uint8_t *const points = (uint8_t *)NN_ALIGN_UP((uint8_t *)scratch, p.end_bytes) + p.begin;
    int16_t *const u = (int16_t *)(void *)points, *const v = u + (p.outputs + 2) * p.apart / (int)sizeof(int16_t);
    number_t *const edge = (number_t *)(v + p.stripe * block_numbers);
    for (int first = 0; first < all; first += p.stripe) {
        const int blocks = first + p.stripe < all ? p.stripe : all - first;
        for (int block = 0; block < blocks; block++) {
            NN_NAME(winograd_block)(input, v + block * block_numbers, edge, first + block, p);
        }
        for (int pair = 0; pair < filters; pair += 2) {
            const int filter = pair + 2 <= filters ? pair : filters - 2; /* of an odd number one twice */
            p.weights(kernel + filter * taps, u);
            NN_NAME(winograd_outputs)(v, u, (uint8_t *)output + filter * p.output_bytes, bias + NN_RECORD * filter, first, blocks, p);
        }
    }
}

#endif
