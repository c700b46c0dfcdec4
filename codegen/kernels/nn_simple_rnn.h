/* The plainest recurrent layer: state = activation(kernel x input + recurrent x state + bias), step by step. */
#ifndef NN_SIMPLE_RNN_H
#define NN_SIMPLE_RNN_H

#include "number.h"
#include "states.h"

typedef struct {
    int steps, features, units;
    int backwards; /* begin with the last step */
    int sequence;  /* write the state of every step, not of the last alone */
    int unsigned_input; /* has the input no sign? */
    NN_STATES
    NN_CONVERSION
} nn_simple_rnn_t;

/* kernel: units x features; recurrent: units x units; bias: at the scale of the sums over inputs; scratch: 2 x units states */
NN_KERNEL void NN_NAME(simple_rnn)(const number_t *restrict input, number_t *restrict output, void *scratch,
                                   const weight_t *kernel, const weight_t *recurrent, const nn_sum_t *bias,
                                   const nn_simple_rnn_t p)
{
    nn_state_t *state = (nn_state_t *)scratch, *next = state + p.units;
    for (int i = 0; i < p.units; i++) {
        state[i] = 0;
    }
    for (int step = 0; step < p.steps; step++) {
        const number_t *x = input + (p.backwards ? p.steps - 1 - step : step) * p.features;
        for (int unit = 0; unit < p.units; unit++) {
            const nn_sum_t from_input = nn_input_sum(x, kernel + unit * p.features, p.features, p.unsigned_input, bias[unit]);
            const nn_sum_t from_state = nn_state_sum(state, recurrent + unit * p.units, p.units, 0);
            next[unit] = nn_activated(nn_candidate_sum(from_input, from_state, p), p);
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
