/* What layers take, read between them: of a library that was made with marks (layer_marks.h). */
#ifndef MCUSIM_LAYERS_H
#define MCUSIM_LAYERS_H

#include <stdint.h>

#include "layer_marks.h"

/* All cycles are sums over `samples`, and those of the first sample after a reset, with cold caches, are left out. */
typedef struct {
    uint32_t layers; /* how many */
    uint32_t samples;
    uint64_t marks;   /* cycles inside of marks */
    uint64_t nothing; /* between two marks that follow on each other: of each gap so much is not the layer's */
    uint64_t cycles[MODEL_LAYERS]; /* in the order in which they run */
} layer_cycles_t;

/* Engines find it in the symbol table. */
extern layer_cycles_t mcusim_layer_cycles;

#endif
