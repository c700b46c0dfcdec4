/* Convolution by patches: what positions see is laid side by side as numbers of 16 bits, and some filters x some positions
 * are multiplied at a time. Any window, stride, padding, dilation and number of groups.
 *
 * The map is read from a frame, a copy with its padding around it, or in place. One stripe of positions is made at a time.
 */
#ifndef NN_CONVOLUTION_PATCHES_H
#define NN_CONVOLUTION_PATCHES_H

#include "number.h"
#include "simd.h"

typedef struct {
    int input_height, input_width, input_channels;
    int output_width, output_channels;
    int positions; /* of the output */
    int stride_height, stride_width;
    int padding_top, padding_left;
    int reach; /* rows that a window stretches over */
    int groups;
    int frame_channels; /* all, or those of a group, which then has a frame of its own */
    int pixel, pitch;   /* numbers of the frame from position to position, and from row to row */
    int frame_numbers;  /* of it; 0 where the map is read in place */
    int words;          /* of a position: pairs of numbers */
    int filters;        /* of a tile */
    int tile_positions; /* likewise */
    int weight_words;   /* of the filters of a tile, in flash */
    int end_bytes;      /* the weights of a tile end at a multiple of it */
    int output_bytes;   /* of a number */
    int input_zero;
    int stripe;         /* positions that are laid out at a time, a multiple of the tile's */
    void (*widen)(const void *, int16_t *, int);
    void (*gather)(const int16_t *, int16_t *, int, int); /* NULL where the tile reads the frame */
    void (*weights)(const void *, int16_t *, int);
    void (*tile)(const int16_t *, const int16_t *, void *, const int32_t *, int);
} nn_convolution_patches_t;

/* What stands for zero. `volatile`: a compiler would call memset, which takes longer for so few. */
NN_KERNEL void NN_NAME(clear)(int16_t *numbers, int count, const nn_convolution_patches_t p)
{
    for (volatile int16_t *one = numbers; one < numbers + count; one++) {
        *one = (int16_t)p.input_zero;
    }
}

/* `count` rows of the map, with the padding around them, from row `top` on */
NN_KERNEL void NN_NAME(frame)(int16_t *frame, const number_t *input, const int top, const int count,
                              const nn_convolution_patches_t p)
{
    const int right = p.padding_left + p.input_width;
    const int row_numbers = p.input_width * p.input_channels;
    const int is_alike = p.frame_channels == p.input_channels && p.pixel == p.input_channels; /* a row and one of the map */
    const int first = top < 0 ? 0 : top, end = top + count < p.input_height ? top + count : p.input_height;
    if (end <= first) {
        NN_NAME(clear)(frame, count * p.pitch, p);
        return;
    }
    NN_NAME(clear)(frame, (first - top) * p.pitch, p);
    int16_t *row = frame + (first - top) * p.pitch;
    if (is_alike && p.pitch == row_numbers) {
        p.widen(input + first * row_numbers, row, (end - first) * row_numbers);
        row += (end - first) * p.pitch;
    } else {
        for (int y = first; y < end; y++, row += p.pitch) {
            const number_t *const from = input + y * row_numbers;
            NN_NAME(clear)(row, p.padding_left * p.pixel, p);
            if (is_alike) {
                p.widen(from, row + p.padding_left * p.pixel, row_numbers);
            } else {
                for (int x = 0; x < p.input_width; x++) {
                    p.widen(from + x * p.input_channels, row + (p.padding_left + x) * p.pixel, p.frame_channels);
                }
            }
            NN_NAME(clear)(row + right * p.pixel, p.pitch - right * p.pixel, p);
        }
    }
    NN_NAME(clear)(row, (top + count - end) * p.pitch, p);
}

/* Where the window of a position begins, in a frame whose first row is that of output row `first` */
NN_KERNEL const int16_t *NN_NAME(seen)(const int16_t *frame, int position, int first, const nn_convolution_patches_t p)
{
    const int row = position / p.output_width, column = position % p.output_width;
    return frame + (row - first) * p.stride_height * p.pitch + column * p.stride_width * p.pixel;
}

/* Patches of `count` positions, beginning with a tile */
NN_KERNEL void NN_NAME(patches)(int16_t *patches, const int16_t *frame, int position, int count, int first,
                                const nn_convolution_patches_t p)
{
    for (int i = 0; i < count;) {
        const int left = p.output_width == 1 ? count : p.output_width - position % p.output_width; /* of its row, or column */
        const int many = left < count - i ? left : count - i, place = i % p.tile_positions;
        p.gather(NN_NAME(seen)(frame, position, first, p), patches + 2 * ((i - place) * p.words + place), many,
                 p.tile_positions - place);
        position += many;
        i += many;
    }
}

/* kernel: filters of a tile by tile, as `weights` makes them ready for it; bias: records of the filters */
NN_KERNEL void NN_NAME(convolution_patches)(const number_t *restrict input, void *restrict output, void *scratch,
                                            const weight_t *kernel, const int32_t *bias,
                                            const nn_convolution_patches_t p)
{
    const int channels = p.input_channels / p.groups, filters = p.output_channels / p.groups;
    const int tile_weights = p.weight_words * 4 / (int)sizeof(weight_t);
    int16_t *const end = (int16_t *)NN_ALIGN_UP((int16_t *)scratch + 2 * p.filters * p.words, p.end_bytes);
    int16_t *const weights = end - 2 * p.filters * p.words;
    int16_t *const frame = end + 2; /* four bytes at a time come, of which the last may be too many */
    int16_t *const patches = frame + p.frame_numbers;
    for (int start = 0; start < p.positions; start += p.stripe) {
        const int stop = start + p.stripe < p.positions ? start + p.stripe : p.positions;
        const int tiles = (stop - start) / p.tile_positions, rest = start + tiles * p.tile_positions < stop;
        const int last = stop - p.tile_positions; /* some positions twice, rather than some that are not there */
        const int row = (last < start ? last : start) / p.output_width;
        const int rows = ((stop - 1) / p.output_width - row) * p.stride_height + p.reach;
        const int top = row * p.stride_height - p.padding_top;
        for (int group = 0; group < p.groups; group++) {
            const int is_shared = p.frame_channels == p.input_channels;
            const int16_t *from = (const int16_t *)(const void *)input + top * p.pitch;
            if (p.frame_numbers && (group == 0 || !is_shared)) {
                NN_NAME(frame)(frame, input + group * channels, top, rows, p);
            }
            from = (p.frame_numbers ? frame : from) + (is_shared ? group * channels : 0);
            const int16_t *x, *x_last;
            if (p.gather) {
                NN_NAME(patches)(patches, from, start, tiles * p.tile_positions, row, p);
                x = patches;
                x_last = patches + 2 * tiles * p.tile_positions * p.words;
                if (rest) {
                    NN_NAME(patches)(patches + (x_last - x), from, last, p.tile_positions, row, p);
                }
            } else {
                x = NN_NAME(seen)(from, start, row, p);
                x_last = NN_NAME(seen)(from, last, row, p);
            }
            for (int filter = 0; filter < filters; filter += p.filters) {
                const int at = group * filters + (filter + p.filters <= filters ? filter : filters - p.filters);
                const int index = group * ((filters + p.filters - 1) / p.filters) + filter / p.filters;
                uint8_t *const to = (uint8_t *)output + at * p.output_bytes;
                p.weights(kernel + index * tile_weights, weights, p.weight_words);
                if (tiles > 0) {
                    p.tile(x, weights, to + start * p.output_channels * p.output_bytes, bias + NN_RECORD * at, tiles);
                }
                if (rest) {
                    p.tile(x_last, weights, to + last * p.output_channels * p.output_bytes, bias + NN_RECORD * at, 1);
                }
            }
        }
    }
}

#endif
