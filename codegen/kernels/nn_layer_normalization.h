/* Each row gets mean 0 and deviation 1, then output = activation(kernel x row + bias). May work in place. */
#ifndef NN_LAYER_NORMALIZATION_H
#define NN_LAYER_NORMALIZATION_H

#include "number.h"
#include "roots.h"

typedef struct {
    int rows, elements;
    NN_STANDARDIZING
    NN_FINISH
} nn_layer_normalization_t;

#if NN_NUMBER_BITS == 0
NN_KERNEL void NN_NAME(layer_normalization)(const number_t *input, number_t *output, const weight_t *kernel,
                                            const accumulator_t *bias, const nn_layer_normalization_t p)
{
    const float count = (float)p.elements;
    for (int row = 0; row < p.rows; row++) {
        float sum = input[0];
        for (int i = 1; i < p.elements; i++) {
            sum += input[i];
        }
        const float mean = sum / count;
        float squares = (input[0] - mean) * (input[0] - mean);
        for (int i = 1; i < p.elements; i++) {
            squares += (input[i] - mean) * (input[i] - mean);
        }
        const float factor = 1.0f / nn_square_root(squares / count + p.epsilon);
        for (int i = 0; i < p.elements; i++) {
            output[i] = (number_t)nn_finish((input[i] - mean) * factor * kernel[i] + bias[i], i, p);
        }
        input += p.elements;
        output += p.elements;
    }
}
#else
NN_KERNEL void NN_NAME(layer_normalization)(const number_t *input, number_t *output, const weight_t *kernel,
                                            const accumulator_t *bias, const nn_layer_normalization_t p)
{
    for (int row = 0; row < p.rows; row++) {
        int64_t sum = 0;
        uint64_t squares = 0;
        for (int i = 0; i < p.elements; i++) {
            sum += input[i];
            squares += (uint32_t)((int32_t)input[i] * input[i]);
        }
        squares = squares * (uint64_t)p.elements - (uint64_t)(sum * sum); /* elements^2 x variance */
        const nn_row_factor_t factor = nn_row_factor(nn_spread(squares, p.room, p.epsilon), p);
        for (int i = 0; i < p.elements; i++) {
            const int64_t distance = (int64_t)p.elements * input[i] - sum;
            const accumulator_t standardized = nn_standardized(distance, factor, p);
            output[i] = (number_t)nn_finish(kernel[i] * standardized + bias[i], i, p);
        }
        input += p.elements;
        output += p.elements;
    }
}
#endif

#endif
