/* One axis of a window that may hang over the edge of its plane. */
#ifndef NN_WINDOW_H
#define NN_WINDOW_H

typedef struct {
    int start;      /* position of tap 0, negative before the edge */
    int first, end; /* taps inside the plane: first <= tap < end */
} nn_range_t;

static inline nn_range_t nn_range(int start, int taps, int length)
{
    const int first = start < 0 ? -start : 0;
    const int end = start + taps > length ? length - start : taps;
    return (nn_range_t){start, first < end ? first : 0, first < end ? end : 0};
}

/* The same for a window whose taps lie `step` apart. */
static inline nn_range_t nn_dilated_range(int start, int taps, int step, int length)
{
    const int first = start < 0 ? (-start + step - 1) / step : 0;
    const int end = start + (taps - 1) * step >= length ? (length - start + step - 1) / step : taps;
    return (nn_range_t){start, first < end ? first : 0, first < end ? end : 0};
}

#endif
