/* What one call of a tile of direct convolution does: tiles side by side, for rows of outputs. */
#ifndef NN_DIRECT_BLOCK_H
#define NN_DIRECT_BLOCK_H

#include <stdint.h>

enum {
    NN_BLOCK_TILE,        /* 0: the routine `tile`, 1: `small_tile` */
    NN_BLOCK_IN_SCRATCH,  /* does it read what was copied there, or the input where it lies? */
    NN_BLOCK_INPUT,       /* bytes from there to the first column of the first tile */
    NN_BLOCK_WEIGHTS,     /* bytes from the filters' weights to those of the first row of the window that is inside */
    NN_BLOCK_OUTPUT,      /* bytes to the first output of the first filter */
    NN_BLOCK_TILES,       /* side by side */
    NN_BLOCK_ROWS,        /* of outputs */
    NN_BLOCK_WINDOW_ROWS, /* that are inside the plane */
    NN_BLOCK_ROW_BYTES,   /* from a row of what it reads to the next */
    NN_BLOCK_NEXT_INPUT,  /* bytes from behind the last tile of a row of outputs to the first of the next: input .. */
    NN_BLOCK_NEXT_OUTPUT, /* .. and output */
    NN_BLOCK_SHIFT,       /* of the sums, for a routine that does not know it */
    NN_BLOCK_NUMBERS
};

/* What is copied into scratch: rows, with columns of zeros before the first one and behind each */
enum {
    NN_REGION_INPUT,   /* numbers from the input to the first column that is copied */
    NN_REGION_OUTPUT,  /* bytes from the scratch memory's columns to the first zeros */
    NN_REGION_ROWS,    /* of the input */
    NN_REGION_LEFT,    /* columns of zeros before the first row */
    NN_REGION_COLUMNS, /* of the input */
    NN_REGION_GAP,     /* columns of zeros behind each row */
    NN_REGION_TOP,     /* row of the input that the first row begins with, where rows of the window lie side by side */
    NN_REGION_NUMBERS
};

#endif
