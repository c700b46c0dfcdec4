/* How 32-bit integers are rounded by TensorFlow Lite Micro (and gemmlowp). The twin of mcusim/numbers/factors.py. */
#ifndef NN_ROUNDING_H
#define NN_ROUNDING_H

#include <stdint.h>

/* As many bits to the right, to the nearest, halves away from zero. */
static inline int32_t nn_divided(int32_t x, int bits)
{
    if (bits == 0) {
        return x;
    }
    return (int32_t)((x + ((int64_t)1 << (bits - 1)) - (x < 0)) >> bits);
}

/* x y / 2^31, to the nearest, halves up. */
static inline int32_t nn_high_product(int32_t x, int32_t y)
{
    const int64_t product = ((int64_t)x * y + (1 << 30)) >> 31;
    return product > INT32_MAX ? INT32_MAX : (int32_t)product;
}

#endif
