/* The contract between the main loop and the world: where samples come from and outputs go.
 * A firmware is linked with exactly one transport. A transport that cannot go on never returns:
 * it ends the run with one of the codes below, because a wrong answer is worse than none. */
#ifndef MCUSIM_TRANSPORT_H
#define MCUSIM_TRANSPORT_H

#include <stdint.h>

typedef struct fault_record fault_record_t; /* fault.h of the core says what is in it */

/* Exit codes of a firmware, read by mcusim/engines/shares.py. */
enum {
    TRANSPORT_OK = 0,
    TRANSPORT_NO_INPUT = 10,        /* the input cannot be opened */
    TRANSPORT_TRUNCATED_INPUT = 11, /* the input ends in the middle of a sample */
    TRANSPORT_OUTPUT_FAILED = 12,   /* an output cannot be written (full disk) */
    TRANSPORT_RESULT_FAILED = 13,   /* the final record cannot be written */
    TRANSPORT_ORPHAN = 14,          /* the engine is gone (host) */
    TRANSPORT_FAULT = 20            /* fault_record_t says which */
};

void transport_open(void);

/* Fills `input`. Returns 0 when there are no more samples. */
int transport_read_sample(void *input, uint32_t bytes);

void transport_write_output(const void *output, uint32_t bytes);

/* The last word of a run that went well; nothing is believed without it. */
_Noreturn void transport_done(uint32_t samples, uint32_t stack_bytes);

/* `stack` is what was on the stack when the fault came, for a back-trace. */
_Noreturn void transport_fault(const fault_record_t *fault, const uint32_t *stack, uint32_t stack_bytes);

#endif
