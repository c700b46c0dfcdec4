/* Sum of arrays, some elements at a time. May work in place. */
#ifndef NN_ADD_LANES_H
#define NN_ADD_LANES_H

#include "lanes.h"

#define NN_ADD_INPUTS 16
#define NN_ADD_TERMS 16

/* How sums are made: in 16 bits, where all of them have room, else in 32. */
typedef enum { NN_IN_PAIRS, NN_IN_WORDS } nn_addition_t;

typedef struct {
    int elements, inputs;
    unsigned unsigned_inputs; /* bit i: has input i no sign? */
    NN_ADDITION
#if NN_NUMBER_BITS != 0
    nn_addition_t addition;
    /* Of sums in pairs: which input comes next, and how often what there is so far is doubled before */
    int terms;
    int8_t order[NN_ADD_TERMS], doublings[NN_ADD_TERMS];
    int start, more; /* what a sum begins with, and what is added at its end */
    int lifted;      /* has the start made the first term positive, so that it is shifted, not doubled? */
    NN_PAIRS_END
#endif
} nn_add_lanes_t;

#if NN_NUMBER_BITS == 0
#define NN_ADD_BURST NN_BLOCK
NN_PART lane_t NN_NAME(add_numbers)(const lane_t *x, uint32_t bytes, const nn_add_lanes_t p)
{
    (void)bytes;
    lane_t sum = x[0];
    NN_UNROLLED for (int input = 1; input < p.inputs; input++) {
        sum += x[input];
    }
    return nn_finish(sum, 0, p);
}
#else
/* Words that are read at a time: all of their sums have to be in registers */
#define NN_ADD_BURST (p.addition == NN_IN_PAIRS || NN_LANES == 2 ? 2 : 1)
static inline uint32_t nn_doubled_pairs(uint32_t pair, int times)
{
    NN_UNROLLED for (int i = 0; i < times; i++) {
        pair = nn_add_pairs(pair, pair);
    }
    return pair;
}

NN_PART uint32_t NN_NAME(sum_in_pairs)(const lane_t *x, int odd, const nn_add_lanes_t p)
{
    uint32_t sum = nn_pair(p.start, p.start);
    NN_UNROLLED for (int i = 0; i < p.terms; i++) {
        const int input = p.order[i];
        sum = i == 1 && p.lifted ? sum << p.doublings[i] : nn_doubled_pairs(sum, p.doublings[i]);
        sum = nn_add_bytes(sum, x[input], odd, p.unsigned_inputs >> input & 1);
    }
    return p.more ? nn_add_pairs(sum, nn_pair(p.more, p.more)) : sum;
}

/* In 32 bits, of one lane */
NN_PART int32_t NN_NAME(sum_in_words)(const lane_t *pairs, int high, const nn_add_lanes_t p)
{
    int32_t sum = p.rounding;
    NN_UNROLLED for (int input = 0; input < p.inputs; input++) {
        sum = nn_add_product(sum, pairs[input], high, 1 << p.shifts[input]);
    }
    return nn_saturated_lane(sum >> p.shift, p.activation, p.storage);
}

NN_PART lane_t NN_NAME(add_in_words)(const lane_t *x, const nn_add_lanes_t p)
{
    int32_t sums[NN_LANES];
    if (NN_LANES == 2) {
        sums[0] = NN_NAME(sum_in_words)(x, 0, p);
        sums[1] = NN_NAME(sum_in_words)(x, 1, p);
        return nn_packed_lanes(sums, p.activation, p.ceiling);
    }
    NN_UNROLLED for (int odd = 0; odd < 2; odd++) {
        lane_t pairs[NN_ADD_INPUTS];
        NN_UNROLLED for (int input = 0; input < p.inputs; input++) {
            pairs[input] = nn_bytes(x[input], odd, p.unsigned_inputs >> input & 1);
        }
        sums[odd] = NN_NAME(sum_in_words)(pairs, 0, p);
        sums[odd + NN_LANES / 2] = NN_NAME(sum_in_words)(pairs, 1, p);
    }
    return nn_packed_lanes(sums, p.activation, p.ceiling);
}

/* The outputs of a word of each input */
NN_PART lane_t NN_NAME(add_numbers)(const lane_t *x, uint32_t bytes, const nn_add_lanes_t p)
{
    if (p.addition == NN_IN_PAIRS) {
        return nn_end_pairs(NN_NAME(sum_in_pairs)(x, 0, p), NN_NAME(sum_in_pairs)(x, 1, p), bytes, p);
    }
    return NN_NAME(add_in_words)(x, p);
}
#endif

/* `words` words of each input, from number `first` on: all are read before any is written */
NN_PART void NN_NAME(add_burst)(const number_t *const *inputs, number_t *output, int first, const int words,
                                uint32_t bytes, const nn_add_lanes_t p)
{
    lane_t x[NN_BLOCK][NN_ADD_INPUTS];
    NN_UNROLLED for (int input = 0; input < p.inputs; input++) {
        NN_UNROLLED for (int word = 0; word < words; word++) {
            x[word][input] = nn_lanes(inputs[input] + first + word * NN_LANES);
        }
    }
#if NN_NUMBER_BITS != 0
    if (words == 2 && p.inputs == 2) {
        nn_together(&x[0][0], &x[1][0], &x[0][1], &x[1][1]);
    }
#endif
    NN_UNROLLED for (int word = 0; word < words; word++) {
        nn_put_lanes(output + first + word * NN_LANES, NN_NAME(add_numbers)(x[word], bytes, p));
    }
}

NN_PART void NN_NAME(add_words)(const number_t *const *inputs, number_t *output, const int words, uint32_t bytes,
                                const nn_add_lanes_t p)
{
    const int burst = NN_ADD_BURST, whole = words / burst * burst;
    NN_UNROLLED for (int word = 0; word < whole; word += burst) {
        NN_NAME(add_burst)(inputs, output, word * NN_LANES, burst, bytes, p);
    }
    NN_NAME(add_burst)(inputs, output, whole * NN_LANES, words - whole, bytes, p);
}

NN_KERNEL void NN_NAME(add_lanes)(const number_t *const *inputs, number_t *output, const nn_add_lanes_t p)
{
    const number_t *x[NN_ADD_INPUTS]; /* where each is read next */
    NN_UNROLLED for (int input = 0; input < p.inputs; input++) {
        x[input] = inputs[input];
    }
    const uint32_t bytes = nn_kept(NN_PAIR_BYTES);
    const int block = NN_BLOCK * NN_LANES, rest = p.elements % block;
    for (const number_t *const end = output + p.elements - rest; output < end; output += block) {
        NN_NAME(add_words)(x, output, NN_BLOCK, bytes, p);
        NN_UNROLLED for (int input = 0; input < p.inputs; input++) {
            x[input] += block;
        }
    }
    NN_NAME(add_words)(x, output, rest / NN_LANES, bytes, p);
    for (int i = rest / NN_LANES * NN_LANES; i < rest; i++) {
        accumulator_t sum = nn_begin_sum(x[0][i], p);
        NN_UNROLLED for (int input = NN_NEXT_ADDEND; input < p.inputs; input++) {
            sum += nn_addend(nn_read(x[input][i], p.unsigned_inputs >> input & 1), input, p);
        }
        output[i] = (number_t)nn_finish(sum, 0, p);
    }
}

#endif
