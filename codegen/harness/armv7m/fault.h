/* What is known about a fault. Every member is one 32-bit word; the order is a promise to
 * mcusim/cores/armv7m/faults.py and to any transport. */
#ifndef MCUSIM_FAULT_H
#define MCUSIM_FAULT_H

#include <stdint.h>

#define FAULT_RECORD_MAGIC 0x544C4146u /* "FALT" */

typedef struct fault_record {
    uint32_t magic;
    uint32_t exception;     /* number of the exception that was taken: 3 HardFault, 4 MemManage, 5 BusFault, 6 UsageFault.. */
    uint32_t samples_done;  /* so the fault happened in this sample of the run, counted from 0 */
    uint32_t frame_valid;   /* 0: the stack was unusable and r0..xpsr below were not saved by the core */
    uint32_t sp;            /* before the exception */
    uint32_t exc_return;
    uint32_t r4_to_r11[8];
    uint32_t frame[8];      /* r0 r1 r2 r3 r12 lr pc xpsr */
    uint32_t cfsr, hfsr, mmfar, bfar;
} fault_record_t;

#endif
