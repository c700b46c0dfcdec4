/* Samples in, outputs out, until there are no more. The same on every engine and board. */
#include "harness.h"
#include "sample.h"
#include "transport.h"

uint32_t mcusim_samples_done;

/* Engines find both in the symbol table. On whole words, as the arena is: kernels read the sample by words. */
sample_t mcusim_input __attribute__((aligned(4)));
answer_t mcusim_output __attribute__((aligned(4)));

int main(void)
{
    transport_open();
    while (transport_read_sample(&mcusim_input, sizeof mcusim_input)) {
        mcusim_infer(&mcusim_input, &mcusim_output);
        transport_write_output(&mcusim_output, sizeof mcusim_output);
        mcusim_samples_done++;
    }
    transport_done(mcusim_samples_done, mcusim_stack_used_bytes());
}
