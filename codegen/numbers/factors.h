/* Real factors as integers. The twin of mcusim/numbers/factors.py. */
#ifndef NN_FACTORS_H
#define NN_FACTORS_H

#include "number.h"
#include "rounding.h"

/* A product is rounded to 31 bits less (halves up) and then shifted (halves away from zero), or all at once (halves up). */
typedef enum { NN_TWICE, NN_ONCE } nn_rounding_t;

/* multiplier * 2^(shift - 31); rounded once it is multiplier * 2^-shift. With a multiplier of 0 numbers stay as they are. */
typedef struct {
    int32_t multiplier;
    int shift;
    nn_rounding_t rounding;
} nn_factor_t;

/* `rounding`: of the factor, where the compiler does not see which one it is. */
static inline int32_t nn_scaled_by(accumulator_t x, const nn_factor_t factor, nn_rounding_t rounding)
{
    if (factor.multiplier == 0) {
        return (int32_t)x;
    }
    if (rounding == NN_ONCE) {
        return (int32_t)(((int64_t)x * factor.multiplier + ((int64_t)1 << (factor.shift - 1))) >> factor.shift);
    }
    const int left = factor.shift > 0 ? factor.shift : 0;
    return nn_divided(nn_high_product((int32_t)((uint32_t)x << left), factor.multiplier), left - factor.shift);
}
#define nn_scaled(x, factor) nn_scaled_by((x), (factor), (factor).rounding)

#endif
