/* A function of numbers of 16 bits, in whole words: the twin of nn_lines_<numbers>.S */
#ifndef NN_LINE_WORDS_H
#define NN_LINE_WORDS_H

#include "lookup.h"
#include "number.h"

#if NN_NUMBER_BITS > 8
typedef struct {
    NN_LOOKUP(lookup)
} nn_line_words_t;

NN_KERNEL void NN_NAME(line_words)(void *output, const void *x, const void *table, int words, const nn_line_words_t p)
{
    for (int i = 0; i < 2 * words; i++) {
        ((int16_t *)output)[i] = nn_look_up(((const int16_t *)x)[i], (const number_t *)table, p.lookup);
    }
}
#endif

#endif
