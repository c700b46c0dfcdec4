/* What positions see, side by side: the twin of nn_patches_*.S */
#ifndef NN_PATCH_COPY_H
#define NN_PATCH_COPY_H

#include "number.h"
#include "simd.h"

typedef struct {
    int rows, row_step; /* of the window; steps are in bytes */
    int taps, tap_step; /* of a row: runs of numbers */
    int run_words;      /* pairs of numbers of a run */
    int positions;      /* of a tile */
    int position_step;
} nn_patch_copy_t;

/* patches: tiles x words x positions; `left` places of the first tile are free */
NN_KERNEL void NN_NAME(patch_copy)(const int16_t *input, int16_t *patches, int count, int left, const nn_patch_copy_t p)
{
    const int words = p.rows * p.taps * p.run_words;
    const uint8_t *from = (const uint8_t *)input;
    for (int i = 0; i < count; i++, from += p.position_step) {
        int16_t *to = patches;
        for (int row = 0; row < p.rows; row++) {
            for (int tap = 0; tap < p.taps; tap++) {
                for (int word = 0; word < p.run_words; word++, to += 2 * p.positions) {
                    nn_put_word(to, nn_word(from + row * p.row_step + tap * p.tap_step + 4 * word));
                }
            }
        }
        patches += 2;
        if (--left == 0) {
            left = p.positions;
            patches += 2 * p.positions * (words - 1);
        }
    }
}

#endif
