/* Direct convolution: windows are read where they lie, some filters x some positions at a time (nn_direct_tile.h).
 *
 * Numbers of 8 bits become numbers of 16 in scratch memory first, less their zero, with columns of zeros beside them; of
 * pairs of numbers of 16 bits only the columns at the edges are copied. Rows that are not there are left out of the window.
 */
#ifndef NN_CONVOLUTION_DIRECT_H
#define NN_CONVOLUTION_DIRECT_H

#include "nn_direct_block.h"
#include "number.h"
#include "simd.h"

typedef struct {
    int input_width, input_channels, output_channels;
    int groups;
    int together;       /* filters of a tile */
    int column_bytes;   /* from one column to the next, in scratch too */
    int fold;           /* rows of the window that lie side by side in a column of the copy; 0: they do not */
    int input_height, stride_height; /* where they do */
    int unsigned_input; /* has the input no sign? */
    int input_zero;     /* taken off it on its way, so that columns of zeros are right */
    int output_bytes;   /* of a number */
    int parts;          /* stripes, one after the other in the same scratch memory */
    int pieces;         /* of the weights that are made ready at a time .. */
    int piece_words;    /* .. with words as `make` counts them, */
    int piece_pitch;    /* .. bytes from one to the next, */
    int piece_numbers;  /* .. and numbers in flash */
    int moved_bytes;    /* what the loop reads of the first tap ends .. */
    int end_bytes;      /* .. at a multiple of it */
    int weights_bytes;  /* in scratch */
    void (*expand)(const void *, int16_t *, int); /* bytes of the input, where channels come by fours */
    void (*make)(const void *, int16_t *, int);   /* weights */
    void (*tile)(const void *, const int16_t *, void *, const accumulator_t *, const int32_t *);
    void (*small_tile)(const void *, const int16_t *, void *, const accumulator_t *, const int32_t *);
} nn_convolution_direct_t;

/* `count` channels from `input` on -> words; lanes as the weights have them */
NN_KERNEL void NN_NAME(direct_column)(int16_t *to, const number_t *input, int count, const nn_convolution_direct_t p)
{
    const int is_unsigned = p.unsigned_input, zero = p.input_zero;
    int i = 0;
    if (sizeof(number_t) == 1) {
        for (; i + 4 <= count; i += 4, to += 4) {
            const uint32_t word = nn_word(input + i);
            nn_put_word(to, nn_bytes_less(word, 0, is_unsigned, zero));
            nn_put_word(to + 2, nn_bytes_less(word, 1, is_unsigned, zero));
        }
    }
    for (; i + 2 <= count; i += 2, to += 2) {
        uint32_t word = sizeof(number_t) == 2
                            ? nn_word(input + i)
                            : nn_pair(nn_read(input[i], is_unsigned) - zero, nn_read(input[i + 1], is_unsigned) - zero);
        NN_IN_REGISTER(word); /* or GCC calls memmove for each column, as GCC 14 does */
        nn_put_word(to, word);
    }
    if (i < count) {
        nn_put_word(to, nn_pair(nn_read(input[i], is_unsigned) - zero, 0));
    }
}

/* A row of outputs: what all rows of its window see of each column, side by side */
NN_KERNEL void NN_NAME(direct_fold)(int16_t *to, const number_t *input, int top, int count, const int channels,
                                    const nn_convolution_direct_t p)
{
    const int pitch = p.column_bytes / 2;
    if (top < 0 || top + p.fold > p.input_height || pitch > p.fold * channels) {
        memset(to, 0, (size_t)(count * p.column_bytes));
    }
    for (int row = 0; row < p.fold; row++, to += channels) {
        if (top + row < 0 || top + row >= p.input_height) {
            continue;
        }
        const number_t *from = input + (top + row) * p.input_width * p.input_channels;
        int16_t *column = to;
        for (int i = 0; i < count; i++, from += p.input_channels, column += pitch) {
            int channel = 0;
            if (sizeof(number_t) == 2 && channels >= 4) { /* words: the compiler would call memmove for each column */
                for (; channel + 2 <= channels; channel += 2) {
                    nn_put_word(column + channel, nn_word(from + channel));
                }
            }
            for (; channel < channels; channel++) {
                column[channel] = (int16_t)(nn_read(from[channel], p.unsigned_input) - p.input_zero);
            }
        }
    }
}

NN_KERNEL void nn_direct_zeros(int16_t *to, int words)
{
    if (words > 0) {
        memset(to, 0, (size_t)words * 4);
    }
}

/* The channels of a group of the input -> a part of the scratch memory */
NN_KERNEL void NN_NAME(direct_copy)(const number_t *input, uint8_t *columns, const int32_t *region, const int channels,
                                    const nn_convolution_direct_t p)
{
    input += region[NN_REGION_INPUT];
    columns += region[NN_REGION_OUTPUT];
    const int count = region[NN_REGION_COLUMNS], pitch = p.column_bytes / 2;
    nn_direct_zeros((int16_t *)(void *)columns, region[NN_REGION_LEFT] * pitch / 2);
    columns += region[NN_REGION_LEFT] * p.column_bytes;
    for (int row = 0; row < region[NN_REGION_ROWS]; row++) {
        int16_t *const to = (int16_t *)(void *)columns;
        if (p.fold) {
            NN_NAME(direct_fold)(to, input, region[NN_REGION_TOP] + row * p.stride_height, count, channels, p);
        } else if (sizeof(number_t) == 1 && p.groups == 1 && channels % 4 == 0) {
            p.expand(input, to, count * channels / 4);
        } else {
            for (int column = 0; column < count; column++) {
                NN_NAME(direct_column)(to + column * pitch, input + column * p.input_channels, channels, p);
            }
        }
        nn_direct_zeros(to + count * pitch, region[NN_REGION_GAP] * pitch / 2);
        input += p.fold ? 0 : p.input_width * p.input_channels;
        columns += (count + region[NN_REGION_GAP]) * p.column_bytes;
    }
}

/* kernel: weights of `together` filters at a time as `make` wants them; bias: records of the filters; parts: how many
 * regions and blocks each has */
NN_KERNEL void NN_NAME(convolution_direct)(const number_t *restrict input, void *restrict output, void *scratch,
                                           const weight_t *kernel, const accumulator_t *bias,
                                           const int32_t *parts, const int32_t *regions, const int32_t *blocks,
                                           const nn_convolution_direct_t p)
{
    const int channels = p.input_channels / p.groups, filters = p.output_channels / p.groups;
    uint8_t *const loop_end = (uint8_t *)NN_ALIGN_UP((uint8_t *)scratch + p.moved_bytes, p.end_bytes);
    uint8_t *const weights = loop_end - p.moved_bytes, *const columns = weights + p.weights_bytes;
    for (int group = 0; group < p.groups; group++, input += channels) {
        const int32_t *region = regions, *first = blocks;
        const weight_t *const of_group = kernel;
        for (int part = 0; part < p.parts; part++) {
            const int32_t *const end = first + parts[2 * part + 1] * NN_BLOCK_NUMBERS;
            for (int i = 0; i < parts[2 * part]; i++, region += NN_REGION_NUMBERS) {
                NN_NAME(direct_copy)(input, columns, region, channels, p);
            }
            kernel = of_group;
            for (int i = 0; i < filters; i += p.together) {
                const int filter = group * filters + (i + p.together <= filters ? i : filters - p.together);
                for (int piece = 0; piece < p.pieces; piece++, kernel += p.piece_numbers) {
                    p.make(kernel, (int16_t *)(void *)(weights + piece * p.piece_pitch), p.piece_words);
                }
                for (const int32_t *block = first; block != end; block += NN_BLOCK_NUMBERS) {
                    const uint8_t *const from = block[NN_BLOCK_IN_SCRATCH] ? columns : (const uint8_t *)input;
                    (block[NN_BLOCK_TILE] ? p.small_tile : p.tile)(
                        from + block[NN_BLOCK_INPUT], (const int16_t *)(const void *)(weights + block[NN_BLOCK_WEIGHTS]),
                        (uint8_t *)output + block[NN_BLOCK_OUTPUT] + filter * p.output_bytes, bias + NN_RECORD * filter, block);
                }
            }
            first = end;
        }
    }
}

#endif
