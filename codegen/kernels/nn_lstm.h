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
    nn_state_t clip; /* of the cell's magnitude; 0 for none */
} nn_lstm_t;

/* Of one unit. */
typedef struct {
    nn_sum_t enter, forget, candidate, show;
} nn_sums_t;

/* The four gates side by side: each input is read once. */
NN_KERNEL nn_sums_t nn_four_input_sums(const number_t *x, const weight_t *weights, const nn_sum_t *bias, const nn_lstm_t p)
{
    const int gate = p.units * p.features; /* from the weights of one to those of the next */
    nn_sums_t sums = {bias[0], bias[p.units], bias[2 * p.units], bias[3 * p.units]};
    for (int i = 0; i < p.features; i++) {
        const nn_sum_t factor = (nn_sum_t)nn_read(x[i], p.unsigned_input);
        sums.enter += weights[i] * factor;
        sums.forget += weights[gate + i] * factor;
        sums.candidate += weights[2 * gate + i] * factor;
        sums.show += weights[3 * gate + i] * factor;
    }
    return sums;
}

NN_KERNEL nn_sums_t nn_four_state_sums(const nn_state_t *state, const weight_t *weights, const nn_lstm_t p)
{
    const int gate = p.units * p.units;
    nn_sums_t sums = {0, 0, 0, 0};
    for (int i = 0; i < p.units; i++) {
        const nn_sum_t factor = state[i];
        sums.enter += weights[i] * factor;
        sums.forget += weights[gate + i] * factor;
        sums.candidate += weights[2 * gate + i] * factor;
        sums.show += weights[3 * gate + i] * factor;
    }
    return sums;
}

/* kernel: 4 gates x units x features, in the order input, forget, candidate, output; recurrent: 4 gates x units x units;
 * bias: 4 gates x units, at the scale of the sums over inputs; scratch: 3 x units states */
NN_KERNEL void NN_NAME(lstm)(const number_t *restrict input, number_t *restrict output, void *scratch,
                             const weight_t *kernel, const weight_t *recurrent, const nn_sum_t *bias, const nn_lstm_t p)
{
    nn_state_t *cell = (nn_state_t *)scratch, *state = cell + p.units, *next = state + p.units;
    for (int i = 0; i < 2 * p.units; i++) {
        cell[i] = 0;
    }
    for (int step = 0; step < p.steps; step++) {
        const number_t *x = input + (p.backwards ? p.steps - 1 - step : step) * p.features;
        for (int unit = 0; unit < p.units; unit++) {
            const nn_sums_t inputs = nn_four_input_sums(x, kernel + unit * p.features, bias + unit, p);
            const nn_sums_t states = nn_four_state_sums(state, recurrent + unit * p.units, p);
            const nn_state_t enter = nn_opened(nn_gate_sum(inputs.enter, states.enter, p), p);
            const nn_state_t forget = nn_opened(nn_gate_sum(inputs.forget, states.forget, p), p);
            const nn_state_t candidate = nn_activated(nn_candidate_sum(inputs.candidate, states.candidate, p), p);
            const nn_state_t show = nn_opened(nn_gate_sum(inputs.show, states.show, p), p);
            const nn_state_t carried = nn_carried(forget, cell[unit], enter, candidate, p);
            const nn_state_t above = p.clip && carried > p.clip ? p.clip : carried;
            cell[unit] = p.clip && above < -p.clip ? -p.clip : above;
            next[unit] = nn_shown(show, nn_bounded(cell[unit], p), p);
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
