/* The mailbox: how a firmware meets the world on the board itself and in Renode. Version 2, a promise: what stands here
 * keeps its place and meaning, and a later version only adds behind it. (Version 1 ended with `stack_left`.)
 *
 * `mcusim_mailbox` is a struct in RAM whose address the symbol table tells. The firmware fills it in and writes to a
 * doorbell, a stimulus port of the ITM: silicon ignores the write unless somebody traces, Renode's model answers at once,
 * and a debug probe polls `state` instead, or stops at the label `mcusim_doorbell_rung`, which the core comes to behind
 * each doorbell but 3 and 4. Every member is one 32-bit word, little-endian.
 *
 * A run, firmware on the left:
 *
 *     state = SAMPLE_WANTED, doorbell 0  ->  takes `output` of the sample before (when `samples` is not 0), lays the next
 *                                           one into `input`, sets state = SAMPLE_THERE; or state = NO_MORE_SAMPLES
 *     doorbell 3, the model, doorbell 4      ports 3 and 4 stand around the call of cnn(): clocks and counters are read there
 *     ...                                    and so on, until there are no more
 *     state = DONE, doorbell 0               `stack_bytes` is valid
 *
 * A fault ends it anywhere: state = FAULT, doorbell 1, `fault` and `stack` are valid (fault.h). Text goes to port 2.
 * After DONE or FAULT the core spins: while it sleeps, a probe cannot read the RAM of some chips. */
#ifndef MCUSIM_MAILBOX_H
#define MCUSIM_MAILBOX_H

#include <stdint.h>

#include "fault.h"

#define MAILBOX_MAGIC 0x4D495355u /* "USIM" in memory */
#define MAILBOX_VERSION 2u

enum {
    MAILBOX_STARTING = 0,
    MAILBOX_SAMPLE_WANTED = 1,
    MAILBOX_SAMPLE_THERE = 2,     /* written from outside */
    MAILBOX_NO_MORE_SAMPLES = 3,  /* written from outside */
    MAILBOX_DONE = 4,
    MAILBOX_FAULT = 5
};

typedef struct {
    uint32_t magic;
    uint32_t version;
    uint32_t bytes;         /* of this struct */
    volatile uint32_t state;
    uint32_t input;         /* address, */
    uint32_t input_bytes;   /* and bytes of one sample */
    uint32_t output;        /* likewise */
    uint32_t output_bytes;
    uint32_t samples;       /* answered so far */
    uint32_t cycles;        /* what the cycle counter went on by around the last call of cnn() */
    uint32_t cycle_counter; /* its address: that of DWT_CYCCNT. Written from outside, another word is read instead. */
    uint32_t stack_bytes;   /* deepest use of the stack */
    uint32_t fault;         /* address of a fault_record_t, */
    uint32_t fault_bytes;   /* and its size */
    uint32_t stack;         /* address of what was on the stack when the fault came, */
    uint32_t stack_left;    /* and bytes up to the end of the stack */
    /* Version 2. Both are written from outside, before SAMPLE_THERE: */
    uint32_t repeat;        /* how often each sample runs, for who measures energy. 0 and 1: once; `cycles` is of the last */
    uint32_t check;         /* not 0: the CRC-32 (of Ethernet, zlib) of both is told with the answer, */
    uint32_t input_crc;     /* so that whoever carries them here and there knows that all bytes arrived */
    uint32_t output_crc;
    uint32_t window_cycles; /* what of `cycles` is not the model's: around one that does nothing, on warm caches */
} mailbox_t;

extern mailbox_t mcusim_mailbox;

/* Stimulus ports of the ITM. The value written means nothing, but for text: characters, the first in the low byte. */
#define ITM_STIMULUS 0xE0000000u
enum {
    DOORBELL_STATE = 0, /* look at `state` */
    DOORBELL_FAULT = 1,
    DOORBELL_TEXT = 2,
    DOORBELL_MODEL_BEGINS = 3,
    DOORBELL_MODEL_RETURNED = 4
};

/* For people: shown in the log of who listens. */
void mailbox_text(const char *text);

#endif
