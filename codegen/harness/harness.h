/* What the parts of the harness share. The harness is everything in a firmware that is not the model:
 * start-up, the loop over samples, fault handlers and one transport. */
#ifndef MCUSIM_HARNESS_H
#define MCUSIM_HARNESS_H

#include <stdint.h>

#define DWT_CYCCNT 0xE0001004u

/* Samples answered so far: what a fault is reported against. */
extern uint32_t mcusim_samples_done;

/* Cycles around the last call of cnn(), and the address of the word that counts them: DWT_CYCCNT, unless a transport
 * says otherwise. 0 where nothing counts (QEMU, host). */
extern uint32_t mcusim_model_cycles, mcusim_cycle_counter;

/* Calls cnn() between two addresses that an engine can watch: the first instruction of `cnn` and the
 * label `mcusim_infer_return`, where cnn() comes back to. */
void mcusim_infer(const void *sample, void *answer);

/* Likewise, of a model that does nothing. */
void mcusim_infer_nothing(void);

/* Leaves in `mcusim_model_cycles` what of them is not the model's, as long as caches are warm. */
static inline void mcusim_time_nothing(void)
{
    for (int run = 0; run < 2; run++) { /* the first one warms the caches */
        mcusim_infer_nothing();
    }
}

/* Deepest use of the stack since reset, found by its paint. 0 where there is no painted stack (host). */
uint32_t mcusim_stack_used_bytes(void);

#endif
