/* Fixed point: an integer q stands for q * 2^-fraction. The twin of mcusim/numbers/power_of_two.py; included by number.h. */
#ifndef NN_POWER_OF_TWO_H
#define NN_POWER_OF_TWO_H

/* The sum has its rounding term already: it lies in the bias. */
#define NN_FINISH                                                         \
    int shift; /* from the scale of the sums to the output's, to the right */ \
    NN_LIMIT
#define nn_finish(sum, channel, p) nn_limit((sum) >> (p).shift, p)
#define nn_set_shift(p, value) ((p).shift = (value))
#define NN_RECORD 1 /* words of a channel: its bias */
#define NN_FACTOR_WORDS(p) 0 /* behind the weights of a row */
#define nn_finish_of(sum, record, p) ((void)(record), nn_finish(sum, 0, p))

#define NN_ADDENDS_MAX 16
#define NN_ADDITION                                                              \
    int shifts[NN_ADDENDS_MAX]; /* of each input to the scale of the sum, to the left */ \
    int rounding;                                                                \
    NN_FINISH
#define nn_begin_sum(first, p) ((p).rounding)
#define NN_NEXT_ADDEND 0
#define nn_addend(x, input, p) nn_shift((x), (p).shifts[input])

#define NN_PRODUCT \
    int rounding;  \
    NN_FINISH
#define nn_product(x, y, p) nn_finish((accumulator_t)(x) * (y) + (p).rounding, 0, p)

#define NN_CONVERSION                                           \
    int shift; /* to the other scale, to the right; negative: left */ \
    int rounding;                                               \
    nn_storage_t storage;
#define nn_convert(x, p) nn_saturate(nn_shift((accumulator_t)(x) + (p).rounding, -(p).shift), (p).storage)

#define NN_AVERAGING                                             \
    int shift;   /* of a sum, to the left: means are smaller than sums */ \
    int nearest; /* 0: round down */
#define nn_average(sum, count, p) nn_mean(nn_shift((sum), (p).shift), (count), (p).nearest)

/* Shift to the left, or to the right (rounding down) by a negative count. */
static inline accumulator_t nn_shift(accumulator_t x, int shift)
{
    return shift >= 0 ? x * ((accumulator_t)1 << shift) : x >> -shift;
}

/* Mean, rounded down, or to the nearest with halves up. */
static inline accumulator_t nn_mean(accumulator_t sum, int count, int nearest)
{
    if (nearest) {
        sum += count / 2;
    }
    const accumulator_t quotient = sum / count; /* towards zero */
    return quotient - (sum % count < 0);
}

#endif
