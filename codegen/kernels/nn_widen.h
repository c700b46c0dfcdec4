/* Numbers become numbers of 16 bits, in their order: the twin of nn_widen_*.S */
#ifndef NN_WIDEN_H
#define NN_WIDEN_H

#include "number.h"
#include "simd.h"

typedef struct {
    int bytes;       /* of a number: 1 or 2 */
    int is_unsigned; /* have those of one byte no sign? */
} nn_widen_t;

NN_KERNEL void NN_NAME(widen)(const void *input, int16_t *output, int numbers, const nn_widen_t p)
{
    for (int i = 0; i < numbers; i++) {
        const int8_t *const byte = (const int8_t *)input + i;
        output[i] = p.bytes == 2 ? ((const int16_t *)input)[i] : p.is_unsigned ? (uint8_t)*byte : *byte;
    }
}

#endif
