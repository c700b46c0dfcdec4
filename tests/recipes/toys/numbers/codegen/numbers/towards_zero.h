/* Fixed point whose sums are rounded towards zero. The twin of mcusim/numbers/towards_zero.py; included by number.h. */
#ifndef NN_TOWARDS_ZERO_H
#define NN_TOWARDS_ZERO_H

#include "power_of_two.h"

#undef nn_finish
#define nn_finish(sum, channel, p) nn_limit(nn_truncated((sum), (p).shift), p)

static inline accumulator_t nn_truncated(accumulator_t sum, int shift)
{
    return sum / ((accumulator_t)1 << shift);
}

#endif
