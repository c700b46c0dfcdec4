/* Gated recurrent unit whose sums come from routines; its reset gate scales sums over states. Integers alone. */
#ifndef NN_GRU_SUMS_H
#define NN_GRU_SUMS_H

#include "nn_walk.h"

typedef struct {
    NN_WALK
    NN_STATES
    NN_CONVERSION
} nn_gru_sums_t;

/* kernel, recurrent: as nn_four_rows.h has them, in the order update, reset, candidate */
NN_KERNEL void NN_NAME(gru_sums)(const number_t *restrict input, number_t *restrict output, void *scratch,
                                const number_t *kernel, const number_t *recurrent, const int32_t *bias,
                                const int32_t *recurrent_bias, const nn_gru_sums_t p)
{
    nn_walk_t w = nn_begin_walk(scratch, p.features, p.units, p.rows);
    for (int step = 0; step < p.steps; step++) {
        nn_sums_of_step(w, step, p);
        const int32_t *x = w.from_input, *s = w.from_state;
        for (int unit = 0; unit < p.units; unit++, x++, s++) {
            const int reset_row = p.units, candidate_row = 2 * p.units;
            const nn_state_t update = nn_opened(nn_gate_sum(x[0], s[0], p), p);
            const nn_state_t reset = nn_opened(nn_gate_sum(x[reset_row], s[reset_row], p), p);
            const nn_state_t sum = nn_reset_sum(x[candidate_row], reset, s[candidate_row], p);
            w.next[unit] = nn_mixed(update, w.state[unit], nn_activated(sum, p));
        }
        nn_end_step(w, step, p);
    }
}

#endif
