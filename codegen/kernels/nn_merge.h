/* Two arrays at one scale, element by element: sum, difference, the larger or the smaller. May work in place. */
#ifndef NN_MERGE_H
#define NN_MERGE_H

#include "broadcast.h"
#include "number.h"

typedef enum { NN_ADD, NN_SUBTRACT, NN_MAXIMUM, NN_MINIMUM } nn_operation_t;

typedef struct {
    int elements;
    nn_operation_t operation;
    nn_broadcast_t first, second;
    unsigned unsigned_inputs; /* bit i: has input i no sign? */
    NN_ADDITION
} nn_merge_t;

static inline accumulator_t nn_merged(accumulator_t first, accumulator_t second, nn_operation_t operation)
{
    switch (operation) {
    case NN_ADD:
        return first + second;
    case NN_SUBTRACT:
        return first - second;
    case NN_MAXIMUM:
        return second > first ? second : first;
    case NN_MINIMUM:
        return second < first ? second : first;
    }
    return first;
}

NN_KERNEL void NN_NAME(merge)(const number_t *const *inputs, number_t *output, const nn_merge_t p)
{
    for (int i = 0; i < p.elements; i++) {
        const number_t x = inputs[0][nn_place(i, p.first)], y = inputs[1][nn_place(i, p.second)];
        const accumulator_t one = nn_addend(nn_read(x, p.unsigned_inputs & 1), 0, p);
        const accumulator_t other = nn_addend(nn_read(y, p.unsigned_inputs >> 1 & 1), 1, p);
        accumulator_t sum = nn_merged(one, other, p.operation);
        if (NN_NEXT_ADDEND == 0) { /* where a sum begins with something of its own */
            sum += nn_begin_sum(x, p);
        }
        output[i] = (number_t)nn_finish(sum, 0, p);
    }
}

#endif
