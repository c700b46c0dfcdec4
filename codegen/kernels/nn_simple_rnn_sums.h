/* The plainest recurrent layer, whose sums come from routines. Integers alone. */
#ifndef NN_SIMPLE_RNN_SUMS_H
#define NN_SIMPLE_RNN_SUMS_H

#include "nn_walk.h"

typedef struct {
    NN_WALK
    NN_STATES
    NN_CONVERSION
} nn_simple_rnn_sums_t;

/* kernel, recurrent: as nn_four_rows.h has them, a row for each unit */
NN_KERNEL void NN_NAME(simple_rnn_sums)(const number_t *restrict input, number_t *restrict output, void *scratch,
                                const number_t *kernel, const number_t *recurrent, const int32_t *bias,
                                const int32_t *recurrent_bias, const nn_simple_rnn_sums_t p)
{
    nn_walk_t w = nn_begin_walk(scratch, p.features, p.units, p.rows);
    for (int step = 0; step < p.steps; step++) {
        nn_sums_of_step(w, step, p);
        const int32_t *x = w.from_input, *s = w.from_state;
        for (int unit = 0; unit < p.units; unit++, x++, s++) {
            w.next[unit] = nn_activated(nn_candidate_sum(*x, *s, p), p);
        }
        nn_end_step(w, step, p);
    }
}

#endif
