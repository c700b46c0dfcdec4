/* 1 / (1 + x) on 32-bit integers, bit for bit as gemmlowp. The twin of mcusim/numbers/fixed_functions.py. */
#ifndef NN_RECIPROCAL_H
#define NN_RECIPROCAL_H

#include "rounding.h"

static inline int32_t nn_shifted_left(int32_t x, int bits)
{
    const int64_t wide = (int64_t)x * ((int64_t)1 << bits);
    return wide > INT32_MAX ? INT32_MAX : wide < INT32_MIN ? INT32_MIN : (int32_t)wide;
}

/* x from 0 on, below 1, as Q0.31; so is the result. */
static inline int32_t nn_reciprocal(int32_t x)
{
    const int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
    int32_t guess = 1515870810 + nn_high_product(half, -1010580540); /* 48/17 - 32/17 half, as Q2.29 */
    for (int step = 0; step < 3; step++) { /* Newton's */
        const int32_t missing = (1 << 29) - nn_high_product(half, guess);
        guess += nn_shifted_left(nn_high_product(guess, missing), 2);
    }
    return nn_shifted_left(guess, 1);
}

#endif
