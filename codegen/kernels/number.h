/* The numbers of a model and their arithmetic: the twin of mcusim/numbers/power_of_two.py.
 *
 * NN_NUMBER_BITS (0 for float, else 4 to 16) and NN_ACCUMULATOR_BITS (32 or 64) come from number_config.h.
 * An integer q stands for q * 2^-fraction. Shifts to the right round down: GCC and clang define them as arithmetic.
 */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdint.h>

#include "number_config.h"

#if NN_NUMBER_BITS == 0
typedef float number_t;
typedef float long_number_t;
typedef float accumulator_t;
#define NN_NAME(kernel) nn_##kernel##_float32
#else
#if NN_NUMBER_BITS <= 8
typedef int8_t number_t;
#define NN_NAME(kernel) nn_##kernel##_int8
#else
typedef int16_t number_t;
#define NN_NAME(kernel) nn_##kernel##_int16
#endif
#define NUMBER_MAX ((1 << (NN_NUMBER_BITS - 1)) - 1)
#define NUMBER_MIN (-NUMBER_MAX - 1)
typedef int32_t long_number_t;
#if NN_ACCUMULATOR_BITS == 64
typedef int64_t accumulator_t; /* mcusim found an input for which 32 bits would overflow */
#else
typedef int32_t accumulator_t; /* mcusim proved that no input overflows it */
#endif
#endif

/* A kernel has every shape as a constant and is compiled anew for each layer. A layer stays one function under its own
 * name (GCC would clone it for its arguments), so that profiles can tell layers apart. */
#define NN_KERNEL static inline __attribute__((always_inline))
#ifdef __clang__
#define NN_LAYER static __attribute__((noinline))
#else
#define NN_LAYER static __attribute__((noinline, noclone))
#endif
#define NN_ALIGNED __attribute__((aligned(4)))
#ifdef __arm__
#define NN_WEIGHTS __attribute__((section(".rodata.weights")))
#else
#define NN_WEIGHTS
#endif

typedef enum { NN_LINEAR, NN_RELU, NN_RELU_CEILING } nn_activation_t;

/* Saturate to the range of the data type. */
static inline number_t clamp_to_number_t(accumulator_t x)
{
#if NN_NUMBER_BITS != 0
    if (x > NUMBER_MAX) {
        return NUMBER_MAX;
    }
    if (x < NUMBER_MIN) {
        return NUMBER_MIN;
    }
#endif
    return (number_t)x;
}

static inline accumulator_t nn_activate(accumulator_t x, nn_activation_t activation, number_t ceiling)
{
    if (activation != NN_LINEAR && x < 0) {
        x = 0;
    }
    if (activation == NN_RELU_CEILING && x > ceiling) {
        x = ceiling;
    }
    return x;
}

/* A sum becomes an output: to the output's scale, activation, saturation. The sum has its rounding term already. */
static inline number_t nn_finish(accumulator_t sum, int shift, nn_activation_t activation, number_t ceiling)
{
#if NN_NUMBER_BITS == 0
    (void)shift;
#else
    sum >>= shift;
#endif
    return clamp_to_number_t(nn_activate(sum, activation, ceiling));
}

#if NN_NUMBER_BITS == 0
static inline float nn_average(float sum, int count, int nearest)
{
    (void)nearest;
    return sum / (float)count;
}

/* e^x for x <= 0, the operations of fixed_point.exponential one by one: both give the same bits. 0 below e^-87. */
static inline float nn_exponential(float x)
{
    static const float terms[] = {1.41421354f,   0.980258167f,   0.339731574f,  0.0784946606f,
                                  0.0136020882f, 0.00188564986f, 0.000217838809f};
    if (x < -87.0f) {
        return 0.0f;
    }
    const float scaled = x * 1.44269504f;
    int whole = (int)scaled;
    if ((float)whole > scaled) {
        whole--;
    }
    const float fraction = scaled - (float)whole - 0.5f;
    float result = terms[6];
    for (int i = 5; i >= 0; i--) {
        result = result * fraction + terms[i];
    }
    const union {
        uint32_t bits;
        float value;
    } power = {(uint32_t)(whole + 127) << 23};
    return result * power.value;
}
#else
/* Shift to the left, or to the right (rounding down) by a negative count. */
static inline accumulator_t nn_shift(accumulator_t x, int shift)
{
    return shift >= 0 ? x * ((accumulator_t)1 << shift) : x >> -shift;
}

/* Mean, rounded down, or to the nearest with halves up. */
static inline accumulator_t nn_average(accumulator_t sum, int count, int nearest)
{
    if (nearest) {
        sum += count / 2;
    }
    const accumulator_t quotient = sum / count; /* towards zero */
    return quotient - (sum % count < 0);
}
#endif

#endif
