/* Long short-term memory: a loop over the steps of a sequence. */
#ifndef NN_LSTM_H
#define NN_LSTM_H

#include "number.h"
#include "states.h"

typedef struct {
    int steps, features, units;
    int backwards; /* begin with the last step */
    int sequence;  /* write the state of every step, not of the last alone */
    int unsigned_input; /* has the input no sign? */
    NN_STATES
    NN_CELLS
    NN_CONVERSION
} nn_lstm_t;

/* kernel: 4 gates x units x features, in the order input, forget, candidate, output; recurrent: 4 gates x units x units;
 * bias: 4 gates x units, at the scale of the sums over inputs; scratch: 3 x units states */
NN_KERNEL void NN_NAME(lstm)(const number_t *restrict input, number_t *restrict output, void *scratch,
                             const number_t *kernel, const number_t *recurrent, const nn_sum_t *bias, const nn_lstm_t p)
{
    nn_state_t *cell = (nn_state_t *)scratch, *state = cell + p.units, *next = state + p.units;
    for (int i = 0; i < 2 * p.units; i++) {
        cell[i] = 0;
    }
    for (int step = 0; step < p.steps; step++) {
        const number_t *x = input + (p.backwards ? p.steps - 1 - step : step) * p.features;
        for (int unit = 0; unit < p.units; unit++) {
            nn_sum_t inputs[4], states[4];
            for (int gate = 0; gate < 4; gate++) {
                const int row = gate * p.units + unit;
                inputs[gate] = nn_input_sum(x, kernel + row * p.features, p.features, p.unsigned_input, bias[row]);
                states[gate] = nn_state_sum(state, recurrent + row * p.units, p.units, 0);
            }
            const nn_state_t enter = nn_opened(nn_gate_sum(inputs[0], states[0], p), p);
            const nn_state_t forget = nn_opened(nn_gate_sum(inputs[1], states[1], p), p);
            const nn_state_t candidate = nn_activated(nn_candidate_sum(inputs[2], states[2], p), p);
            const nn_state_t show = nn_opened(nn_gate_sum(inputs[3], states[3], p), p);
            cell[unit] = nn_carried(forget, cell[unit], enter, candidate, p);
            next[unit] = nn_shown(show, nn_bounded(cell[unit], p), p);
        }
        nn_state_t *const written = next;
        next = state;
        state = written;
        for (int unit = 0; unit < p.units && (p.sequence || step == p.steps - 1); unit++) {
            *output++ = nn_convert(state[unit], p);
        }
    }
}

#endif
