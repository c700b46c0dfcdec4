/* Convolution by patches: what the windows of a stripe of positions see is laid side by side as numbers of 16 bits, and
 * 2 filters x 4 positions are multiplied at a time. Any window, stride, padding, dilation and number of groups.
 */
#ifndef NN_CONVOLUTION_PATCHES_H
#define NN_CONVOLUTION_PATCHES_H

#include "number.h"
#include "simd.h"

typedef struct {
    int input_height, input_width, input_channels;
    int output_height, output_width, output_channels;
    int window_height, window_width, stride_height, stride_width;
    int padding_top, padding_left;
    int gap_height, gap_width; /* positions between two taps: dilation - 1 */
    int groups;
    int unsigned_input; /* has the input no sign? */
    int output_bytes;   /* of a number */
    int words;          /* of a patch: pairs of numbers, the last of them zeros where there are more than taps */
    int end_bytes;      /* the weights of two filters end at a multiple of it */
    int stripe;         /* positions that are laid out at a time, a multiple of 4 */
    void (*weights)(const void *, int16_t *, int);
    void (*tile)(const int16_t *, const int16_t *, void *, const int32_t *, int);
} nn_convolution_patches_t;

/* Where number `index` of a patch goes: patches of 4 positions share their words. */
#define NN_PATCH_PLACE(index) ((index) / 2 * 8 + (index) % 2)

/* `count` numbers, or zeros without an input, from number `index` of a patch on; lanes as the weights have them. */
NN_KERNEL void NN_NAME(patch_run)(int16_t *patch, int index, const number_t *input, int count, int four, int is_unsigned)
{
    if (!four) {
        for (int i = 0; i < count; i++) {
            patch[NN_PATCH_PLACE(index + i)] = (int16_t)(input ? nn_read(input[i], is_unsigned) : 0);
        }
        return;
    }
    int16_t *to = patch + NN_PATCH_PLACE(index);
    if (sizeof(number_t) == 2) {
        for (int i = 0; i < count; i += 2, to += 8) {
            nn_put_word(to, input ? nn_word(input + i) : 0);
        }
        return;
    }
    for (int i = 0; i < count; i += 4, to += 16) {
        const uint32_t word = input ? nn_word(input + i) : 0;
        nn_put_word(to, nn_bytes(word, 0, is_unsigned));
        nn_put_word(to + 8, nn_bytes(word, 1, is_unsigned));
    }
}

/* The patch of one position, of `channels` channels from `input` on */
NN_KERNEL void NN_NAME(patch)(int16_t *patch, const number_t *input, int position, const int channels,
                              const nn_convolution_patches_t p)
{
    const int four = channels % (4 / (int)sizeof(number_t)) == 0;
    const int top = position / p.output_width * p.stride_height - p.padding_top;
    const int left = position % p.output_width * p.stride_width - p.padding_left;
    int index = 0;
    for (int row = 0; row < p.window_height; row++) {
        const int y = top + row * (p.gap_height + 1);
        for (int column = 0; column < p.window_width; column++, index += channels) {
            const int x = left + column * (p.gap_width + 1);
            const int inside = y >= 0 && y < p.input_height && x >= 0 && x < p.input_width;
            const number_t *const seen = inside ? input + (y * p.input_width + x) * p.input_channels : NULL;
            NN_NAME(patch_run)(patch, index, seen, channels, four, p.unsigned_input);
        }
    }
    NN_NAME(patch_run)(patch, index, NULL, 2 * p.words - index, 0, 0);
}

/* kernel: pairs of filters as `weights` makes them ready for the tile; bias: at the scale of the sums */
NN_KERNEL void NN_NAME(convolution_patches)(const number_t *restrict input, void *restrict output, void *scratch,
                                            const number_t *kernel, const int32_t *bias,
                                            const nn_convolution_patches_t p)
{
    const int channels = p.input_channels / p.groups, filters = p.output_channels / p.groups;
    const int positions = p.output_height * p.output_width, pairs = (filters + 1) / 2;
    int16_t *const patches = (int16_t *)NN_ALIGN_UP((uint8_t *)scratch + 8 * p.words, p.end_bytes);
    int16_t *const weights = patches - 4 * p.words;
    for (int group = 0; group < p.groups; group++) {
        for (int start = 0, end; start < positions; start = end) {
            end = start + p.stripe < positions ? start + p.stripe : positions;
            end -= start == 0 ? end % 4 : 0; /* before the first position there is none to begin at */
            const int tiles = (end - start + 3) / 4;
            const int first = end - 4 * tiles; /* some positions twice, rather than some that are not there */
            for (int i = 0; i < 4 * tiles; i++) {
                NN_NAME(patch)(patches + (i / 4 * 4 * p.words + i % 4) * 2, input + group * channels, first + i, channels, p);
            }
            for (int pair = 0; pair < pairs; pair++) {
                const int filter = group * filters + (2 * pair + 2 <= filters ? 2 * pair : filters - 2);
                p.weights(kernel + (group * pairs + pair) * 4 * p.words, weights, 4 * p.words * (int)sizeof(number_t) / 4);
                p.tile(patches, weights, (uint8_t *)output + (first * p.output_channels + filter) * p.output_bytes,
                       bias + filter, tiles);
            }
        }
    }
}

#endif
