/* How sure is a classifier? Its largest number, less the second largest; NaN is none of both. */
#ifndef NN_MARGIN_H
#define NN_MARGIN_H

#include <math.h>

#include "number.h"

#define NN_MARGIN(name, type, wide_t, least) \
    NN_KERNEL wide_t nn_margin_##name(const type *scores, int count) \
    { \
        wide_t top = least, second = least; \
        for (int i = 0; i < count; i++) { \
            const wide_t score = scores[i]; \
            if (score > top) { \
                second = top; \
                top = score; \
            } else if (score > second) { \
                second = score; \
            } \
        } \
        return top - second; \
    }

NN_MARGIN(int8, int8_t, int32_t, INT16_MIN)
NN_MARGIN(int16, int16_t, int32_t, INT16_MIN)
NN_MARGIN(float32, float, float, -INFINITY)

#endif
