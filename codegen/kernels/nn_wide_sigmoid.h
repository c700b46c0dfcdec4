/* Sigmoid or tanh of affine numbers of 16 bits, bit for bit as TensorFlow Lite Micro. May work in place. */
#ifndef NN_WIDE_SIGMOID_H
#define NN_WIDE_SIGMOID_H

#include "affine_wide.h"
#include "number.h"

typedef struct {
    int elements;
    int32_t factor; /* of inputs, to places in the table: with `shift` bits to the right */
    int shift;
    int is_tanh;
} nn_wide_sigmoid_t;

NN_KERNEL void NN_NAME(wide_sigmoid)(
    const number_t *input, number_t *output, const uint16_t *sigmoids, const nn_wide_sigmoid_t p)
{
    for (int i = 0; i < p.elements; i++) {
        const uint32_t scaled = (uint32_t)(int32_t)input[i] * (uint32_t)p.factor + ((1u << p.shift) >> 1);
        const int32_t place = (int32_t)scaled >> p.shift;
        output[i] = (number_t)(p.is_tanh ? nn_wide_tanh(place, sigmoids) : nn_wide_logistic(place, sigmoids));
    }
}

#endif
