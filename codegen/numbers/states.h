/* What recurrent layers do between their sums. The twin of mcusim/numbers/recurrent.py; nn_lstm.h and its kin use it.
 *
 * In integers states, cells and gates have 16 bits, whatever the width of weights, inputs and outputs. Sums have 32 bits
 * and are exact, products 64; they are rounded to the nearest once.
 */
#ifndef NN_STATES_H
#define NN_STATES_H

#include "number.h"

typedef enum {
    NN_STATE_LINEAR,
    NN_STATE_RELU,
    NN_STATE_SIGMOID,
    NN_STATE_TANH,
    NN_STATE_HARD_SIGMOID,
    NN_STATE_SOFTSIGN
} nn_state_function_t;

#if NN_NUMBER_BITS == 0
#include "functions.h"

typedef float nn_state_t;
typedef float nn_sum_t;

#define NN_STATES                         \
    nn_state_function_t gate, activation; \
    float gate_slope, activation_slope;
#define NN_CELLS
#define nn_opened(x, p) nn_state_function((x), (p).gate, (p).gate_slope)
#define nn_activated(x, p) nn_state_function((x), (p).activation, (p).activation_slope)
#define nn_bounded(cell, p) nn_activated(cell, p)
#define nn_gate_sum(from_input, from_state, p) ((from_input) + (from_state))
#define nn_candidate_sum(from_input, from_state, p) ((from_input) + (from_state))
#define nn_carried(forget, cell, gate, candidate, p) ((forget) * (cell) + (gate) * (candidate))
#define nn_shown(gate, cell, p) ((gate) * (cell))
#define nn_reset(gate, state) ((gate) * (state))
#define nn_reset_sum(from_input, gate, from_state, p) ((from_input) + (gate) * (from_state))
#define nn_mixed(gate, state, candidate) ((gate) * (state) + (1.0f - (gate)) * (candidate))

static inline float nn_state_function(float x, nn_state_function_t function, float slope)
{
    switch (function) {
    case NN_STATE_LINEAR:
        return x;
    case NN_STATE_RELU:
        return x > 0.0f ? x : 0.0f;
    case NN_STATE_SIGMOID:
        return nn_sigmoid(x);
    case NN_STATE_TANH:
        return nn_tanh(x);
    case NN_STATE_HARD_SIGMOID:
        return nn_hard_sigmoid(x, slope);
    case NN_STATE_SOFTSIGN:
        return nn_softsign(x);
    }
    return x;
}
#else
typedef int16_t nn_state_t;
typedef int32_t nn_sum_t;

#define NN_STATES                                                                                             \
    nn_state_function_t activation;                                                                           \
    int gate_input_shift, gate_state_shift;           /* of sums to the scale of gates, 2^-12, to the right */ \
    int candidate_input_shift, candidate_state_shift; /* likewise */                                          \
    int small_sums; /* do 32 bits hold both sums at the scales that they come to, and what they add up to? */  \
    const int16_t *gate_table, *activation_table;
#define NN_CELLS int carried_shift, bounded_shift, shown_shift; /* to the scales of cell, activation and state */
#define nn_opened(x, p) nn_table_entry((x), (p).gate_table)
#define nn_activated(x, p) nn_activated_state((x), (p).activation, (p).activation_table)
#define nn_bounded(cell, p) nn_activated(nn_saturated(nn_rescaled((cell), (p).bounded_shift)), p)
#define nn_gate_sum(from_input, from_state, p) \
    nn_joined((from_input), (p).gate_input_shift, (from_state), (p).gate_state_shift, (p).small_sums)
#define nn_candidate_sum(from_input, from_state, p) \
    nn_joined((from_input), (p).candidate_input_shift, (from_state), (p).candidate_state_shift, (p).small_sums)
#define nn_carried(forget, cell, gate, candidate, p) \
    nn_carried_cell((forget) * (cell), (gate) * (candidate), (p).carried_shift)
#define nn_shown(gate, cell, p)                                                             \
    ((p).shown_shift > 0 ? nn_saturated_word(nn_nearest((gate) * (cell), (p).shown_shift)) \
                         : nn_saturated(nn_rescaled((gate) * (cell), (p).shown_shift)))
#define nn_reset(gate, state) ((nn_state_t)nn_nearest((gate) * (state), NN_STATE_ONE))
#define nn_reset_sum(from_input, gate, from_state, p)                   \
    nn_saturated(nn_rescaled((from_input), (p).candidate_input_shift) + \
                 nn_reset_state((gate), nn_rescaled((from_state), (p).candidate_state_shift)))
#define nn_mixed(gate, state, candidate) \
    nn_saturated_word(nn_nearest((gate) * (state) + ((1 << NN_STATE_ONE) - (gate)) * (candidate), NN_STATE_ONE))

#define NN_STATE_ONE 15 /* fraction bits of gates and bounded states */
#define NN_TABLE_STEP 7

/* Shift to the right, to the nearest with halves up; to the left by a negative count. */
static inline int64_t nn_rescaled(int64_t x, int shift)
{
    if (shift > 0) {
        return (x + ((int64_t)1 << (shift - 1))) >> shift;
    }
    return x * ((int64_t)1 << -shift);
}

/* To the right alone, of 32 bits, which are enough for it; `shift` is 1 or more. */
static inline int32_t nn_nearest(int32_t x, int shift)
{
    return shift > 31 ? 0 : (x >> shift) + (x >> (shift - 1) & 1);
}

static inline nn_state_t nn_saturated_word(int32_t x)
{
    return (nn_state_t)(x > INT16_MAX ? INT16_MAX : x < INT16_MIN ? INT16_MIN : x);
}

static inline nn_state_t nn_saturated(int64_t x)
{
    return (nn_state_t)(x > INT16_MAX ? INT16_MAX : x < INT16_MIN ? INT16_MIN : x);
}

/* Likewise, or to the left by a negative count, as far as there is room. */
static inline int32_t nn_rescaled_word(int32_t x, int shift)
{
    return shift > 0 ? nn_nearest(x, shift) : (int32_t)((uint32_t)x << -shift);
}

/* Both sums at one scale. */
static inline nn_state_t nn_joined(int32_t from_input, int input_shift, int32_t from_state, int state_shift, int small)
{
    if (small) {
        return nn_saturated_word(nn_rescaled_word(from_input, input_shift) + nn_rescaled_word(from_state, state_shift));
    }
    return nn_saturated(nn_rescaled(from_input, input_shift) + nn_rescaled(from_state, state_shift));
}

/* A function of x from -8 to 8 in units of 2^-12. The table holds an entry every 2^7 from 0 on, with lines between them;
 * the other half is the same turned round f(0). */
static inline nn_state_t nn_table_entry(nn_state_t x, const int16_t *table)
{
    const int position = x >= 0 ? x : x > INT16_MIN ? -x : INT16_MAX;
    const int16_t *left = table + (position >> NN_TABLE_STEP);
    const int rise = (left[1] - left[0]) * (position & ((1 << NN_TABLE_STEP) - 1));
    const int entry = left[0] + ((rise + (1 << (NN_TABLE_STEP - 1))) >> NN_TABLE_STEP);
    return (nn_state_t)(x >= 0 ? entry : 2 * table[0] - entry);
}

static inline nn_state_t nn_activated_state(nn_state_t x, nn_state_function_t function, const int16_t *table)
{
    if (function == NN_STATE_LINEAR || function == NN_STATE_RELU) {
        return function == NN_STATE_RELU && x < 0 ? 0 : x;
    }
    return nn_table_entry(x, table);
}

static inline nn_state_t nn_carried_cell(int32_t kept, int32_t added, int shift)
{
    if (shift > 0) { /* half of a product at most: 32 bits have room for both */
        return nn_saturated_word(nn_nearest(kept + nn_nearest(added, shift), NN_STATE_ONE));
    }
    return nn_saturated(nn_rescaled(kept + nn_rescaled(added, shift), NN_STATE_ONE));
}

static inline int64_t nn_reset_state(nn_state_t gate, int64_t state)
{
    state = state > INT32_MAX ? INT32_MAX : state < INT32_MIN ? INT32_MIN : state;
    return nn_rescaled(gate * state, NN_STATE_ONE);
}
#endif

/* Sums of products: exact in 32 bits, as mcusim proved. */
static inline __attribute__((always_inline)) nn_sum_t nn_input_sum(const number_t *input, const weight_t *weights,
                                                                   int count, int unsigned_input, nn_sum_t sum)
{
    for (int i = 0; i < count; i++) {
        sum += (nn_sum_t)weights[i] * nn_read(input[i], unsigned_input);
    }
    return sum;
}

static inline __attribute__((always_inline)) nn_sum_t nn_state_sum(const nn_state_t *state, const weight_t *weights,
                                                                   int count, nn_sum_t sum)
{
    for (int i = 0; i < count; i++) {
        sum += (nn_sum_t)weights[i] * state[i];
    }
    return sum;
}

#endif
