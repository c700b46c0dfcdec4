/* Two arrays of integers, element by element, by a routine for whole words. May work in place. */
#ifndef NN_COMBINED_LANES_H
#define NN_COMBINED_LANES_H

#include <string.h>

#include "number.h"

typedef struct {
    int rows, numbers; /* of a row */
    int repeated;      /* is y the same in all rows? */
    int y;             /* which input y is */
    void (*combine)(void *, const void *, const void *, int);
} nn_combined_lanes_t;

NN_KERNEL void NN_NAME(combined_lanes)(const number_t *const *inputs, number_t *output, const nn_combined_lanes_t p)
{
    const int of_a_word = 4 / (int)sizeof(number_t), words = p.numbers / of_a_word, rest = p.numbers % of_a_word;
    const number_t *x = inputs[1 - p.y], *y = inputs[p.y];
    for (int row = 0; row < p.rows; row++) {
        if (words) {
            p.combine(output, x, y, words);
        }
        if (rest) { /* less than a word, made one */
            number_t last[2][4 / sizeof(number_t)] NN_ALIGNED = {{0}, {0}};
            memcpy(last[0], x + of_a_word * words, (size_t)rest * sizeof(number_t));
            memcpy(last[1], y + of_a_word * words, (size_t)rest * sizeof(number_t));
            p.combine(last[0], last[0], last[1], 1);
            memcpy(output + of_a_word * words, last[0], (size_t)rest * sizeof(number_t));
        }
        output += p.numbers;
        x += p.numbers;
        y += p.repeated ? 0 : p.numbers;
    }
}

#endif
