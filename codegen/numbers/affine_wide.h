/* Functions of one number of 16 bits, bit for bit as TensorFlow Lite Micro. The twin of mcusim/numbers/affine_wide.py. */
#ifndef NN_AFFINE_WIDE_H
#define NN_AFFINE_WIDE_H

#include <stdint.h>

#define NN_SIGMOIDS 256

/* Straight lines between entries that lie 2^bits apart; one value for all beyond the last but one. */
static inline int32_t nn_between(int32_t size, int bits, int32_t beyond, const uint16_t *sigmoids)
{
    const int32_t index = size >> bits;
    if (index >= NN_SIGMOIDS - 1) {
        return beyond;
    }
    return (sigmoids[index] << bits) + (size & ((1 << bits) - 1)) * (sigmoids[index + 1] - sigmoids[index]);
}

/* `place`: in steps of the table, with 9 bits behind the point. */
static inline int32_t nn_wide_logistic(int32_t place, const uint16_t *sigmoids)
{
    const int32_t y = nn_between(place < 0 ? -place : place, 9, 0x7FFF << 10, sigmoids);
    return (place >= 0 ? y + 512 : (1 << 25) - y + 511) >> 10;
}

static inline int32_t nn_wide_tanh(int32_t place, const uint16_t *sigmoids)
{
    const int32_t y = nn_between(place < 0 ? -place : place, 8, 0xFFFF << 8, sigmoids);
    return (place >= 0 ? y - (1 << 23) + 128 : -y + (1 << 23) + 127) >> 8;
}

/* An entry of a table of 513, and a straight line to the next: x from -32768 on. */
static inline int32_t nn_wide_entry(int32_t x, const int16_t *table)
{
    const int16_t *left = table + 256 + (x >> 7);
    return (int16_t)(left[0] + (((int16_t)(left[1] - left[0]) * (x & 127) + 64) >> 7));
}

#endif
