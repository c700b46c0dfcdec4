/* Long short-term memory whose sums come from routines, which nn_lstm.h writes out. Integers alone. */
#ifndef NN_LSTM_SUMS_H
#define NN_LSTM_SUMS_H

#include "nn_walk.h"

typedef struct {
    NN_WALK
    NN_STATES
    NN_CELLS
    NN_CONVERSION
} nn_lstm_sums_t;

/* kernel, recurrent: as nn_four_rows.h has them, in the order input, forget, candidate, output */
NN_KERNEL void NN_NAME(lstm_sums)(const number_t *restrict input, number_t *restrict output, void *scratch,
                                const number_t *kernel, const number_t *recurrent, const int32_t *bias,
                                const int32_t *recurrent_bias, const nn_lstm_sums_t p)
{
    nn_walk_t w = nn_begin_walk(scratch, p.features, p.units, p.rows);
    for (int step = 0; step < p.steps; step++) {
        nn_sums_of_step(w, step, p);
        const int32_t *x = w.from_input, *s = w.from_state;
        for (int unit = 0; unit < p.units; unit++, x++, s++) {
            const int forget_row = p.units, candidate_row = 2 * p.units, show_row = 3 * p.units;
            const nn_state_t enter = nn_opened(nn_gate_sum(x[0], s[0], p), p);
            const nn_state_t forget = nn_opened(nn_gate_sum(x[forget_row], s[forget_row], p), p);
            const nn_state_t candidate = nn_activated(nn_candidate_sum(x[candidate_row], s[candidate_row], p), p);
            const nn_state_t show = nn_opened(nn_gate_sum(x[show_row], s[show_row], p), p);
            w.more[unit] = nn_carried(forget, w.more[unit], enter, candidate, p);
            w.next[unit] = nn_shown(show, nn_bounded(w.more[unit], p), p);
        }
        nn_end_step(w, step, p);
    }
}

#endif
