/* cnn() in a program of the development machine, where nobody watches and nothing counts. */
#include "harness.h"
#include "sample.h"

uint32_t mcusim_model_cycles, mcusim_cycle_counter;

void mcusim_infer(const void *sample, void *answer)
{
    cnn(sample, answer);
}
