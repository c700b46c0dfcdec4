/* A function of one number on integers. The twin of mcusim/numbers/tables.py.
 *
 *     NN_LOOKUP(name)                 a member of a kernel's parameters (with its semicolon), none up to 8 bits
 *     nn_look_up(x, table, p.name)
 *
 * Up to 8 bits the table holds every result. Beyond, it holds some from `start` on, every 2^shift, with lines between
 * them; below `start`, and from `end` on, two more lines go on for ever.
 */
#ifndef NN_LOOKUP_H
#define NN_LOOKUP_H

#include <stddef.h>

#include "number.h"

#if NN_NUMBER_BITS <= 8
#define NN_LOOKUP(name)
#define nn_look_up(x, table, lookup) ((table)[(x) - NUMBER_MIN])
#else
typedef struct {
    int start, end, shift;
    int below, below_factor, below_shift; /* at `start`, and the slope: a factor and a shift to the right */
    int above, above_factor, above_shift; /* at `end` */
} nn_lookup_t;

#define NN_LOOKUP(name) nn_lookup_t name;
#define nn_look_up(x, table, lookup) nn_looked_up((x), (table), (lookup))

/* Shift to the right, to the nearest with halves up. */
static inline int32_t nn_rounded_shift(int32_t x, int shift)
{
    return (x + ((1 << shift) >> 1)) >> shift;
}

static inline number_t nn_looked_up(int32_t x, const number_t *table, const nn_lookup_t p)
{
    if (x < p.start) {
        return clamp_to_number_t(p.below + nn_rounded_shift((x - p.start) * p.below_factor, p.below_shift));
    }
    if (x >= p.end) {
        return clamp_to_number_t(p.above + nn_rounded_shift((x - p.end) * p.above_factor, p.above_shift));
    }
    const int32_t position = x - p.start;
    const int32_t rest = position & ((1 << p.shift) - 1);
    const number_t *left = table + (position >> p.shift);
    return clamp_to_number_t(left[0] + nn_rounded_shift((left[1] - left[0]) * rest, p.shift));
}
#endif

#endif
