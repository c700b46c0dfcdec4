/* Words from flash into RAM: the twin of nn_word_copy.S */
#ifndef NN_COPY_WORDS_H
#define NN_COPY_WORDS_H

#include "number.h"
#include "simd.h"

typedef struct {
    int pairs; /* numbers of 16 bits in a word */
} nn_copy_words_t;

NN_KERNEL void NN_NAME(copy_words)(const void *input, int16_t *output, int words, const nn_copy_words_t p)
{
    for (int i = 0; i < words; i++) {
        nn_put_word(output + p.pairs * i, nn_word((const uint8_t *)input + 4 * i));
    }
}

#endif
