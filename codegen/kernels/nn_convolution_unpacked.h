/* Sums whose weights are part of the code, line by line, from a frame: a copy of the map as numbers of 16 bits with its
 * padding around it. */
#ifndef NN_CONVOLUTION_UNPACKED_H
#define NN_CONVOLUTION_UNPACKED_H

#include "nn_convolution_patches.h"

typedef struct {
    nn_convolution_patches_t frame;
    int rows;         /* of it */
    int lines;        /* of positions */
    int line_numbers; /* of the frame, from line to line */
    int line_bytes;   /* likewise, of the output */
    void (*unpacked)(const int16_t *, void *, const int32_t *);
} nn_convolution_unpacked_t;

/* bias: records of the filters */
NN_KERNEL void NN_NAME(convolution_unpacked)(const number_t *restrict input, void *restrict output, void *scratch,
                                             const int32_t *bias, const nn_convolution_unpacked_t p)
{
    int16_t *const frame = (int16_t *)scratch;
    NN_NAME(frame)(frame, input, -p.frame.padding_top, p.rows, p.frame);
    for (int line = 0; line < p.lines; line++) {
        p.unpacked(frame + line * p.line_numbers, (uint8_t *)output + line * p.line_bytes, bias);
    }
}

#endif
