/* cnn() between two addresses that an engine can watch. */
#include "harness.h"

#if defined(__arm__)

/* Hand-written so that no compiler moves work between the call and the label: instructions counted from
 * the first one of `cnn` up to `mcusim_infer_return` are exactly those of the model. */
__attribute__((naked)) void mcusim_infer(const number_t *input, number_t *output)
{
    __asm__ volatile(
        "push  {r3, lr}\n" /* r3 keeps the stack aligned to 8 bytes */
        "bl    cnn\n"
        ".global mcusim_infer_return\n"
        "mcusim_infer_return:\n"
        "pop   {r3, pc}\n");
    (void)input;
    (void)output;
}

#else

void mcusim_infer(const number_t *input, number_t *output)
{
    cnn(input, output);
}

#endif
