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
        nn_step_input(w.x, input + (p.backwards ? p.steps - 1 - step : step) * p.features, p.features, p.unsigned_input);
        p.input_sums(w.from_input, w.x, kernel, bias, NN_FOURS(p.rows));
        p.state_sums(w.from_state, w.state, recurrent, recurrent_bias, NN_FOURS(p.rows));
        const int32_t *x = w.from_input, *s = w.from_state;
        for (int unit = 0; unit < p.units; unit++, x++, s++) {
            w.next[unit] = nn_activated(nn_candidate_sum(*x, *s, p), p);
        }
        int16_t *const written = w.next;
        w.next = w.state;
        w.state = written;
        for (int unit = 0; unit < p.units && (p.sequence || step == p.steps - 1); unit++) {
            *output++ = (number_t)nn_convert(w.state[unit], p);
        }
    }
}

#endif
