/* Square roots, and rows divided by them. The twin of mcusim/numbers/roots.py. */
#ifndef NN_ROOTS_H
#define NN_ROOTS_H

#include "number.h"

#if NN_NUMBER_BITS == 0
#define NN_STANDARDIZING float epsilon;

/* Of x >= 0: a guess from the exponent, and three steps of Newton's method. No library, so the same bits everywhere. */
static inline float nn_square_root(float x)
{
    union {
        int32_t bits;
        float value;
    } guess = {.value = x};
    guess.bits = (guess.bits >> 1) + 0x1FBD1DF5;
    float root = guess.value;
    for (int i = 0; i < 3; i++) {
        root = 0.5f * (root + x / root);
    }
    return root;
}
#else
#define NN_STANDARD_MAX ((1 << 17) - 1)
#define NN_STANDARDIZING                                                          \
    int room;        /* sums of squares are shifted by it, to the left */         \
    int64_t epsilon; /* added to them then */                                     \
    int fraction;    /* of a standardized number */                               \
    int nearest;     /* 0: round down */
#define nn_row_factor(spread, p) nn_reciprocal_root((spread), 61 - (p).fraction - (p).room / 2)
#define nn_standardized(distance, factor, p) nn_scaled_distance((distance), (factor), (p).nearest)

/* 1 / root of a row, in units of 2^-shift. */
typedef struct {
    int64_t reciprocal;
    int shift;
} nn_row_factor_t;

/* floor(sqrt(x)), one bit after the other */
static inline uint32_t nn_integer_root(uint64_t x)
{
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 60; bit != 0; bit >>= 2) {
        const uint64_t more = root + bit;
        root >>= 1;
        if (x >= more) {
            x -= more;
            root += bit;
        }
    }
    return (uint32_t)root;
}

static inline nn_row_factor_t nn_reciprocal_root(uint64_t spread, int shift)
{
    for (; spread != 0 && spread < (uint64_t)1 << 60; spread <<= 2) {
        shift--;
    }
    if (spread == 0 || shift > 62) { /* the row's numbers are alike, or nothing beside epsilon: all become 0 */
        return (nn_row_factor_t){0, 0};
    }
    const uint64_t reciprocal = (((uint64_t)1 << 61) - 1) / nn_integer_root(spread);
    return (nn_row_factor_t){(int64_t)reciprocal, shift < 0 ? 0 : shift};
}

static inline int32_t nn_scaled_distance(int64_t distance, const nn_row_factor_t factor, int nearest)
{
    const int64_t half = nearest ? ((int64_t)1 << factor.shift) >> 1 : 0;
    const int64_t scaled = (distance * factor.reciprocal + half) >> factor.shift;
    return (int32_t)(scaled > NN_STANDARD_MAX ? NN_STANDARD_MAX : scaled < -NN_STANDARD_MAX - 1 ? -NN_STANDARD_MAX - 1 : scaled);
}

static inline uint64_t nn_spread(uint64_t squares, int room, int64_t epsilon)
{
    return (room >= 0 ? squares << room : squares >> -room) + (uint64_t)epsilon;
}
#endif

#endif
