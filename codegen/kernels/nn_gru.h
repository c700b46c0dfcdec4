/* Gated recurrent unit: a loop over the steps of a sequence. */
#ifndef NN_GRU_H
#define NN_GRU_H

#include "number.h"
#include "states.h"

typedef struct {
    int steps, features, units;
    int backwards;   /* begin with the last step */
    int sequence;    /* write the state of every step, not of the last alone */
    int reset_after; /* the reset gate scales the candidate's sum over states, and not the states */
    int unsigned_input; /* has the input no sign? */
    NN_STATES
    NN_CONVERSION
} nn_gru_t;

/* kernel: 3 gates x units x features, in the order update, reset, candidate; recurrent: 3 gates x units x units;
 * biases: 3 gates x units, at the scales of the sums over inputs and over states; scratch: 4 x units states */
NN_KERNEL void NN_NAME(gru)(const number_t *restrict input, number_t *restrict output, void *scratch,
                            const weight_t *kernel, const weight_t *recurrent, const nn_sum_t *bias,
                            const nn_sum_t *recurrent_bias, const nn_gru_t p)
{
    nn_state_t *state = (nn_state_t *)scratch, *next = state + p.units;
    nn_state_t *resets = next + p.units, *kept = resets + p.units; /* reset gates, and the states that they let through */
    for (int i = 0; i < p.units; i++) {
        state[i] = 0;
    }
    for (int step = 0; step < p.steps; step++) {
        const number_t *x = input + (p.backwards ? p.steps - 1 - step : step) * p.features;
        for (int unit = 0; unit < p.units; unit++) {
            const int row = p.units + unit;
            const nn_sum_t from_input = nn_input_sum(x, kernel + row * p.features, p.features, p.unsigned_input, bias[row]);
            const nn_sum_t from_state = nn_state_sum(state, recurrent + row * p.units, p.units, recurrent_bias[row]);
            resets[unit] = nn_opened(nn_gate_sum(from_input, from_state, p), p);
            kept[unit] = nn_reset(resets[unit], state[unit]);
        }
        for (int unit = 0; unit < p.units; unit++) {
            nn_sum_t from_input = nn_input_sum(x, kernel + unit * p.features, p.features, p.unsigned_input, bias[unit]);
            nn_sum_t from_state = nn_state_sum(state, recurrent + unit * p.units, p.units, recurrent_bias[unit]);
            const nn_state_t update = nn_opened(nn_gate_sum(from_input, from_state, p), p);
            const int row = 2 * p.units + unit;
            const nn_state_t *read = p.reset_after ? state : kept;
            from_input = nn_input_sum(x, kernel + row * p.features, p.features, p.unsigned_input, bias[row]);
            from_state = nn_state_sum(read, recurrent + row * p.units, p.units, recurrent_bias[row]);
            const nn_state_t sum = p.reset_after ? nn_reset_sum(from_input, resets[unit], from_state, p)
                                                 : nn_candidate_sum(from_input, from_state, p);
            const nn_state_t candidate = nn_activated(sum, p);
            next[unit] = nn_mixed(update, state[unit], candidate);
        }
        nn_state_t *const written = next;
        next = state;
        state = written;
        for (int unit = 0; unit < p.units && (p.sequence || step == p.steps - 1); unit++) {
            *output++ = (number_t)nn_convert(state[unit], p);
        }
    }
}

#endif
