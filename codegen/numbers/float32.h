/* float32: numbers are what they stand for. Included by number.h. */
#ifndef NN_FLOAT32_H
#define NN_FLOAT32_H

#define NN_FINISH NN_LIMIT
#define nn_finish(sum, channel, p) nn_limit(sum, p)

#define NN_ADDITION NN_FINISH
#define nn_begin_sum(first, p) (first) /* 0.0f would make a sum of -0.0f positive */
#define NN_NEXT_ADDEND 1
#define nn_addend(x, input, p) (x)

#define NN_CONVERSION
#define nn_convert(x, p) (x)

#define NN_AVERAGING
#define nn_average(sum, count, p) ((sum) / (float)(count))

/* e^x for x <= 0, the operations of mcusim/numbers/integers.py one by one: both give the same bits. 0 below e^-87. */
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

#endif
