/* What recurrent layers share that have their sums from routines: one over the inputs of a step, one over its states. */
#ifndef NN_WALK_H
#define NN_WALK_H

#include "number.h"
#include "states.h"

typedef void nn_sums_of_rows_t(int32_t *, const int16_t *, const void *, const int32_t *, int);

/* Inputs and states have zeros behind them, up to a multiple of four, and so have rows */
#define NN_WALK                                                                    \
    int steps, features, units, rows;                                              \
    int backwards;      /* begin with the last step */                             \
    int sequence;       /* write the state of every step, not of the last alone */ \
    int unsigned_input; /* has the input no sign? */                               \
    nn_sums_of_rows_t *input_sums, *state_sums;

#define NN_FOURS(count) (((count) + 3) / 4)

/* What lies in the scratch memory */
typedef struct {
    int32_t *from_input, *from_state; /* sums of each row */
    int16_t *x, *state, *next, *more;
} nn_walk_t;

NN_KERNEL nn_walk_t nn_begin_walk(void *scratch, int features, int units, int rows)
{
    const int xs = 4 * NN_FOURS(features), states = 4 * NN_FOURS(units), sums = 4 * NN_FOURS(rows);
    int32_t *const from_input = (int32_t *)scratch, *const from_state = from_input + sums;
    int16_t *const x = (int16_t *)(from_state + sums), *const state = x + xs;
    for (int i = 0; i < xs + 3 * states; i++) {
        x[i] = 0;
    }
    return (nn_walk_t){from_input, from_state, x, state, state + states, state + 2 * states};
}

/* The inputs of a step, in 16 bits */
NN_KERNEL void nn_step_input(int16_t *x, const number_t *input, int features, int is_unsigned)
{
    for (int i = 0; i < features; i++) {
        x[i] = (int16_t)nn_read(input[i], is_unsigned);
    }
}

/* Sums over the inputs of a step, and over the states before it; of the arguments that all these layers have. */
#define nn_sums_of_step(w, step, p)                                                                                  \
    do {                                                                                                             \
        const int from = ((p).backwards ? (p).steps - 1 - (step) : (step)) * (p).features;                           \
        nn_step_input((w).x, input + from, (p).features, (p).unsigned_input);                                        \
        (p).input_sums((w).from_input, (w).x, kernel, bias, NN_FOURS((p).rows));                                     \
        (p).state_sums((w).from_state, (w).state, recurrent, recurrent_bias, NN_FOURS((p).rows));                    \
    } while (0)

/* The next states are those now; where they are asked for they go to `output`. */
#define nn_end_step(w, step, p)                                                                                      \
    do {                                                                                                             \
        int16_t *const written = (w).next;                                                                           \
        (w).next = (w).state;                                                                                        \
        (w).state = written;                                                                                         \
        for (int unit = 0; unit < (p).units && ((p).sequence || (step) == (p).steps - 1); unit++) {                  \
            *output++ = (number_t)nn_convert((w).state[unit], p);                                                    \
        }                                                                                                            \
    } while (0)

#endif
