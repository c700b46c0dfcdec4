/* Functions of a real number in float32. The twin of mcusim/numbers/float_functions.py, operation by operation.
 *
 * +, -, * and / alone: every machine gives the same bits (compile with -ffp-contract=off). No libm is needed.
 */
#ifndef NN_FUNCTIONS_H
#define NN_FUNCTIONS_H

#include <stdint.h>

/* By Horner's rule, the highest power first. */
static inline float nn_polynomial(float x, const float *terms, int count)
{
    float result = terms[0];
    for (int i = 1; i < count; i++) {
        result = result * x + terms[i];
    }
    return result;
}

/* 2^n for -126 <= n <= 127 */
static inline float nn_power_of_two(int n)
{
    const union {
        uint32_t bits;
        float value;
    } power = {(uint32_t)(n + 127) << 23};
    return power.value;
}

/* x -> whole n and e^r - 1, where x = n log 2 + r and |r| <= log(2) / 2 */
static inline float nn_split_exponent(float x, int *whole)
{
    static const float taylor[] = {0.000198412701f, 0.00138888892f, 0.00833333377f, 0.0416666679f, 0.166666672f, 0.5f};
    const float scaled = x * 1.44269502f;
    *whole = (int)(scaled + (scaled < 0.0f ? -0.5f : 0.5f));
    const float n = (float)*whole;
    const float rest = (x - n * 0.693359375f) - n * -0.000212194442f; /* log 2 in two parts: the first product is exact */
    return rest * rest * nn_polynomial(rest, taylor, 6) + rest;
}

/* e^x. 0 below e^-87, infinity above what float32 holds; NaN stays NaN. */
static inline float nn_exponential(float x)
{
    if (!(x >= -87.0f)) {
        return x != x ? x : 0.0f;
    }
    if (x > 88.7228317f) {
        return nn_power_of_two(127) * 2.0f;
    }
    int whole;
    const float fraction = nn_split_exponent(x, &whole) + 1.0f;
    const int half = whole >> 1; /* 2^128 is none, but half of it twice may be */
    return fraction * nn_power_of_two(half) * nn_power_of_two(whole - half);
}

/* e^x - 1 for x <= 0, exact near 0 too */
static inline float nn_exponential_minus_one(float x)
{
    if (!(x >= -18.0f)) {
        return x != x ? x : -1.0f;
    }
    int whole;
    const float fraction = nn_split_exponent(x, &whole);
    const float power = nn_power_of_two(whole);
    return power * fraction + (power - 1.0f);
}

static inline float nn_magnitude(float x)
{
    return __builtin_fabsf(x);
}

static inline float nn_sigmoid(float x)
{
    const float small = nn_exponential(-nn_magnitude(x));
    return (x < 0.0f ? small : 1.0f) / (small + 1.0f);
}

static inline float nn_tanh(float x)
{
    const float small = nn_exponential_minus_one(-2.0f * nn_magnitude(x));
    const float result = -small / (small + 2.0f);
    return x < 0.0f ? -result : result;
}

/* log(1 + e^x) = max(x, 0) + log(1 + z) with z = e^-|x|, and log(1 + z) = 2 artanh(z / (z + 2)) */
static inline float nn_softplus(float x)
{
    static const float artanh[] = {0.0769230798f, 0.0909090936f, 0.111111112f, 0.142857149f, 0.200000003f, 0.333333343f};
    const float small = nn_exponential(-nn_magnitude(x));
    const float ratio = small / (small + 2.0f);
    const float square = ratio * ratio;
    const float logarithm = 2.0f * (ratio * square * nn_polynomial(square, artanh, 6) + ratio);
    return (x > 0.0f ? x : 0.0f) + logarithm;
}

/* Of a standard normal variable: the probability to be at most x. A fit of its tail. */
static inline float nn_normal_distribution(float x)
{
    static const float terms[] = {-0.0400263295f, 0.202429965f, -0.376988083f,  0.254240185f,   -0.0143104782f,
                                  0.159106284f,   0.155640244f, 0.159920976f, -1.27833728e-05f};
    const float size = nn_magnitude(x);
    const float t = 1.0f / (0.4f * size + 1.0f);
    const float tail = nn_exponential(-0.5f * size * size) * nn_polynomial(t, terms, 9);
    return x < 0.0f ? tail : 1.0f - tail;
}

/* The error function */
static inline float nn_erf(float x)
{
    return 2.0f * nn_normal_distribution(1.41421354f * x) - 1.0f;
}

static inline float nn_gelu(float x)
{
    return x * nn_normal_distribution(x);
}

/* x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 */
static inline float nn_gelu_tanh(float x)
{
    const float cubic = 0.044715f * x * x * x + x;
    return x * nn_sigmoid(1.59576917f * cubic);
}

static inline float nn_silu(float x)
{
    return x * nn_sigmoid(x);
}

/* x tanh(softplus(x)), as a fraction of powers of z = e^-|x| */
static inline float nn_mish(float x)
{
    const float small = nn_exponential(-nn_magnitude(x));
    const float square = small * small;
    const float above = small + small + 1.0f, below = square + small + small;
    return x * (x < 0.0f ? below / (below + 2.0f) : above / (above + square + square));
}

static inline float nn_softsign(float x)
{
    return x / (nn_magnitude(x) + 1.0f);
}

static inline float nn_elu(float x, float alpha)
{
    return x < 0.0f ? alpha * nn_exponential_minus_one(x) : x;
}

static inline float nn_celu(float x, float alpha)
{
    return x < 0.0f ? alpha * nn_exponential_minus_one(x / alpha) : x;
}

static inline float nn_selu(float x, float alpha, float scale)
{
    return scale * nn_elu(x, alpha);
}

static inline float nn_leaky_relu(float x, float slope)
{
    return x < 0.0f ? slope * x : x;
}

/* x above the threshold, between low and high; below it slope (x - threshold) */
static inline float nn_threshold_relu(float x, float slope, float threshold, float low, float high)
{
    float above = x > threshold ? x : 0.0f;
    above = above < low ? low : above;
    above = above > high ? high : above;
    return slope * (x < threshold ? x - threshold : 0.0f) + above;
}

static inline float nn_hard_sigmoid(float x, float slope)
{
    float line = slope * x + 0.5f;
    line = line < 0.0f ? 0.0f : line;
    return line > 1.0f ? 1.0f : line;
}

static inline float nn_hard_silu(float x, float slope)
{
    return x * nn_hard_sigmoid(x, slope);
}

static inline float nn_hard_tanh(float x)
{
    return x < -1.0f ? -1.0f : x > 1.0f ? 1.0f : x;
}

#endif
