/* Where an element of the output lies in an input that lacks some of its axes. */
#ifndef NN_BROADCAST_H
#define NN_BROADCAST_H

typedef struct {
    int repeat, period;             /* the innermost axes that it has; a period of 0: it has all axes */
    int outer_repeat, outer_period; /* more of them, with missing ones between */
} nn_broadcast_t;

static inline int nn_place(int i, const nn_broadcast_t p)
{
    if (p.period == 0) {
        return i;
    }
    const int place = i / p.repeat % p.period;
    return p.outer_period == 0 ? place : place + i / p.outer_repeat % p.outer_period * p.period;
}

#endif
