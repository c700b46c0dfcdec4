/* The numbers of a model: their types, and what all number systems share.
 *
 * NN_NUMBER_BITS (0 for float, else 4 to 16) and NN_ACCUMULATOR_BITS (32 or 64) come from number_config.h, or from a
 * file whose layers are of another width. Shifts to the right round down: GCC and clang define them as arithmetic.
 *
 * A number system is a header that says the same things in its own way (mcusim/numbers/ has its twin):
 *
 *     NN_FINISH      nn_finish(sum, channel, p)       a sum, its bias included, becomes an output
 *     NN_ADDITION    nn_begin_sum(first, p), nn_addend(x, input, p) from input NN_NEXT_ADDEND on: inputs become one sum
 *     NN_PRODUCT     nn_product(x, y, p)             two stored numbers become their product
 *     NN_CONVERSION  nn_convert(x, p)                 a stored number becomes one of another scale
 *     NN_AVERAGING   nn_average(sum, count, p)
 *
 * The capitals are members of a kernel's parameters `p` (with their semicolons), and what stands beside them reads these.
 */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdint.h>

#ifndef NN_NUMBER_BITS
#include "number_config.h"
#endif

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

/* Weights are as wide as numbers, or narrower. */
#ifdef NN_WEIGHT_BITS
typedef int8_t weight_t;
#else
typedef number_t weight_t;
#endif

/* A kernel has every shape as a constant and is compiled anew for each layer. A layer stays one function under its own
 * name (GCC would clone it for its arguments, or have equal ones share their code), so that profiles can tell layers apart. */
#define NN_KERNEL static inline __attribute__((always_inline))
#ifdef __clang__
#define NN_SHARED_LAYER __attribute__((noinline))
#else
#define NN_SHARED_LAYER __attribute__((noinline, noclone, no_icf))
#endif
#define NN_LAYER static NN_SHARED_LAYER
#define NN_ALIGNED __attribute__((aligned(4)))
/* The first multiple of `bytes` from a pointer on. */
#define NN_ALIGN_UP(pointer, bytes) ((void *)(((uintptr_t)(pointer) + (uintptr_t)(bytes) - 1) & ~((uintptr_t)(bytes) - 1)))
#ifdef __arm__
#define NN_WEIGHTS __attribute__((section(".rodata.weights")))
#else
#define NN_WEIGHTS
#endif

typedef enum { NN_LINEAR, NN_RELU, NN_RELU_CEILING } nn_activation_t;

/* How numbers are stored: as they are; without a sign, which leaves one bit more, in the same bytes; or in 16 bits. */
typedef enum { NN_SAME, NN_UNSIGNED, NN_WIDE } nn_storage_t;

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

/* Likewise, for numbers that are stored in another way. */
static inline long_number_t nn_saturate(accumulator_t x, nn_storage_t storage)
{
#if NN_NUMBER_BITS != 0
    const accumulator_t lowest = storage == NN_UNSIGNED ? 0 : storage == NN_WIDE ? INT16_MIN : NUMBER_MIN;
    const accumulator_t highest = storage == NN_UNSIGNED ? 2 * NUMBER_MAX + 1 : storage == NN_WIDE ? INT16_MAX : NUMBER_MAX;
    if (x > highest) {
        return (long_number_t)highest;
    }
    if (x < lowest) {
        return (long_number_t)lowest;
    }
#else
    (void)storage;
#endif
    return (long_number_t)x;
}

/* What is stored as `x` when numbers may have no sign. */
static inline long_number_t nn_read(number_t x, int is_unsigned)
{
#if NN_NUMBER_BITS != 0 && NN_NUMBER_BITS <= 8
    return is_unsigned ? (uint8_t)x : x;
#else
    (void)is_unsigned;
    return x;
#endif
}

/* Number `index` of an array of int16 or, if it is not `wide`, of int8. */
static inline int32_t nn_number_at(const void *numbers, int index, int wide, int is_unsigned)
{
    const int8_t *const narrow = (const int8_t *)numbers;
    return wide ? ((const int16_t *)numbers)[index] : is_unsigned ? (uint8_t)narrow[index] : narrow[index];
}

/* Stores the number `x`, which is saturated; -> where the next one goes. */
static inline void *nn_store(void *output, long_number_t x, nn_storage_t storage)
{
#if NN_NUMBER_BITS != 0
    if (storage == NN_WIDE) {
        int16_t *const wide = (int16_t *)output;
        *wide = (int16_t)x;
        return wide + 1;
    }
#else
    (void)storage;
#endif
    number_t *const same = (number_t *)output;
    *same = (number_t)x;
    return same + 1;
}

/* Likewise, as number `index` of an output. */
static inline void nn_store_at(void *output, int index, long_number_t x, nn_storage_t storage)
{
    const int bytes = storage == NN_WIDE ? (int)sizeof(int16_t) : (int)sizeof(number_t);
    nn_store((uint8_t *)output + index * bytes, x, storage);
}

static inline accumulator_t nn_activate(accumulator_t x, nn_activation_t activation, long_number_t floor,
                                        long_number_t ceiling)
{
    if (activation != NN_LINEAR && x < floor) {
        x = floor;
    }
    if (activation == NN_RELU_CEILING && x > ceiling) {
        x = ceiling;
    }
    return x;
}

/* What happens to a number before it is stored: a part of a kernel's parameters. */
#define NN_LIMIT                \
    nn_activation_t activation; \
    long_number_t ceiling;      \
    nn_storage_t storage;       \
    long_number_t floor; /* what stands for 0 */
#define nn_limit(x, p) nn_saturate(nn_activate((x), (p).activation, (p).floor, (p).ceiling), (p).storage)

/* How sums become outputs: the number system of the model. */
#if NN_NUMBER_BITS == 0
#include "float32.h"
#elif defined(NN_NUMBERS)
#include NN_NUMBERS
#else
#include "power_of_two.h"
#endif

#endif
