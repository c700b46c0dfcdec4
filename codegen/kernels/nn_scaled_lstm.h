/* Long short-term memory on affine numbers, bit for bit as TensorFlow Lite Micro. The twin of mcusim/numbers/affine_lstm.py. */
#ifndef NN_SCALED_LSTM_H
#define NN_SCALED_LSTM_H

#include "affine_wide.h"
#include "factors.h"
#include "number.h"

#if NN_NUMBER_BITS != 0
typedef struct {
    int steps, features, units;
    nn_factor_t over_inputs[4], over_states[4]; /* of the gates input, forget, candidate, output */
    nn_factor_t kept, entered, shown;
    int32_t cell_factor; /* of a cell, to places in the table of sigmoids: with `cell_shift` bits to the right */
    int cell_shift;
    int clip; /* of the cell; 0 for none */
    int zero;
} nn_scaled_lstm_t;

static inline int32_t nn_short(int64_t x)
{
    return x > INT16_MAX ? INT16_MAX : x < INT16_MIN ? INT16_MIN : (int32_t)x;
}

/* What goes into a gate: two sums, each at the scale of gates. */
NN_KERNEL int32_t NN_NAME(gate_sum)(int gate, int unit, const number_t *x, const number_t *state, const weight_t *kernel,
                                    const weight_t *recurrent, const accumulator_t *bias,
                                    const accumulator_t *recurrent_bias, const nn_scaled_lstm_t p)
{
    const int row = gate * p.units + unit;
    accumulator_t over_inputs = bias[row], over_states = state ? recurrent_bias[row] : 0;
    for (int i = 0; i < p.features; i++) {
        over_inputs += (accumulator_t)kernel[row * p.features + i] * x[i];
    }
    for (int i = 0; state && i < p.units; i++) {
        over_states += (accumulator_t)recurrent[row * p.units + i] * state[i];
    }
    return nn_short((int64_t)nn_short(nn_scaled_by(over_inputs, p.over_inputs[gate], p.over_inputs[0].rounding)) +
                    nn_short(nn_scaled_by(over_states, p.over_states[gate], p.over_inputs[0].rounding)));
}

/* scratch: a cell for each unit. The first state is what stands for 0. */
NN_KERNEL void NN_NAME(scaled_lstm)(const number_t *restrict input, number_t *restrict output, void *scratch,
                                    const weight_t *kernel, const weight_t *recurrent, const accumulator_t *bias,
                                    const accumulator_t *recurrent_bias, const uint16_t *sigmoids,
                                    const nn_scaled_lstm_t p)
{
    int16_t *const cells = (int16_t *)scratch;
    const number_t *state = 0;
    for (int unit = 0; unit < p.units; unit++) {
        cells[unit] = 0;
    }
    for (int step = 0; step < p.steps; step++) {
        for (int unit = 0; unit < p.units; unit++) {
            int32_t gates[4];
            for (int gate = 0; gate < 4; gate++) {
                const int32_t sum = NN_NAME(gate_sum)(gate, unit, input, state, kernel, recurrent, bias, recurrent_bias, p);
                gates[gate] = gate == 2 ? nn_wide_tanh(3 * sum, sigmoids) : nn_wide_logistic(3 * sum, sigmoids);
            }
            const int32_t old = nn_short(nn_scaled(gates[1] * cells[unit], p.kept));
            const int32_t new = nn_short(nn_scaled(gates[0] * gates[2], p.entered));
            int32_t cell = nn_short((int64_t)old + new);
            if (p.clip) {
                cell = cell > p.clip ? p.clip : cell < -p.clip ? -p.clip : cell;
            }
            cells[unit] = (int16_t)cell;
            const int32_t place = (int32_t)((uint32_t)cell * (uint32_t)p.cell_factor + ((1u << p.cell_shift) >> 1)) >> p.cell_shift;
            const int32_t shown = nn_scaled(nn_wide_tanh(place, sigmoids) * gates[3], p.shown);
            output[unit] = clamp_to_number_t((accumulator_t)shown + p.zero);
        }
        state = output;
        input += p.features;
        output += p.units;
    }
}
#endif

#endif
