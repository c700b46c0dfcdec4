/* A function of each number: sigmoid, tanh, LeakyReLU and their kin. May work in place. */
#ifndef NN_POINTWISE_H
#define NN_POINTWISE_H

#include "number.h"

#if NN_NUMBER_BITS == 0
#include "functions.h"

typedef enum {
    NN_CELU,
    NN_ELU,
    NN_ERF,
    NN_EXPONENTIAL,
    NN_GELU,
    NN_GELU_TANH,
    NN_HARD_SIGMOID,
    NN_HARD_SILU,
    NN_HARD_TANH,
    NN_LEAKY_RELU,
    NN_MISH,
    NN_SELU,
    NN_SIGMOID,
    NN_SILU,
    NN_SOFTPLUS,
    NN_SOFTSIGN,
    NN_TANH,
    NN_THRESHOLD_RELU
} nn_function_t;

typedef struct {
    int elements;
    nn_function_t function;
    float alpha, scale, slope, threshold, low, high; /* what the function has of these */
} nn_pointwise_t;

NN_KERNEL float nn_function(float x, const nn_pointwise_t p)
{
    switch (p.function) {
    case NN_CELU:
        return nn_celu(x, p.alpha);
    case NN_ELU:
        return nn_elu(x, p.alpha);
    case NN_ERF:
        return nn_erf(x);
    case NN_EXPONENTIAL:
        return nn_exponential(x);
    case NN_GELU:
        return nn_gelu(x);
    case NN_GELU_TANH:
        return nn_gelu_tanh(x);
    case NN_HARD_SIGMOID:
        return nn_hard_sigmoid(x, p.slope);
    case NN_HARD_SILU:
        return nn_hard_silu(x, p.slope);
    case NN_HARD_TANH:
        return nn_hard_tanh(x);
    case NN_LEAKY_RELU:
        return nn_leaky_relu(x, p.slope);
    case NN_MISH:
        return nn_mish(x);
    case NN_SELU:
        return nn_selu(x, p.alpha, p.scale);
    case NN_SIGMOID:
        return nn_sigmoid(x);
    case NN_SILU:
        return nn_silu(x);
    case NN_SOFTPLUS:
        return nn_softplus(x);
    case NN_SOFTSIGN:
        return nn_softsign(x);
    case NN_TANH:
        return nn_tanh(x);
    case NN_THRESHOLD_RELU:
        return nn_threshold_relu(x, p.slope, p.threshold, p.low, p.high);
    }
    return x;
}

NN_KERNEL void NN_NAME(pointwise)(const number_t *input, number_t *output, const nn_pointwise_t p)
{
    for (int i = 0; i < p.elements; i++) {
        output[i] = nn_function(input[i], p);
    }
}
#else
#include "lookup.h"

typedef struct {
    int elements;
    int unsigned_input; /* has the input no sign? */
    NN_LOOKUP(lookup)
} nn_pointwise_t;

NN_KERNEL void NN_NAME(pointwise)(const number_t *input, number_t *output, const number_t *table, const nn_pointwise_t p)
{
    for (int i = 0; i < p.elements; i++) {
        const int raised = p.unsigned_input ? NUMBER_MIN : 0; /* tables begin with the least number */
        output[i] = nn_look_up(nn_read(input[i], p.unsigned_input) + raised, table, p.lookup);
    }
}
#endif

#endif
