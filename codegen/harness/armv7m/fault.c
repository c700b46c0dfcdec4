/* Any exception -> a fault record -> transport_fault(). No exception is ever expected: the harness
 * enables no interrupt. */
#include "fault.h"

#include "harness.h"
#include "transport.h"

#define SCB_CFSR (*(volatile uint32_t *)0xE000ED28u)
#define SCB_HFSR (*(volatile uint32_t *)0xE000ED2Cu)
#define SCB_MMFAR (*(volatile uint32_t *)0xE000ED34u)
#define SCB_BFAR (*(volatile uint32_t *)0xE000ED38u)

#define EXC_RETURN_NO_FPU_FRAME (1u << 4)
#define BASIC_FRAME_BYTES 32u
#define FPU_FRAME_BYTES 104u
#define XPSR_PADDED (1u << 9) /* the core inserted a word to align the frame to 8 bytes */

extern uint32_t mcusim_stack_start[], mcusim_stack_end[];

#define FAULT_STACK_WORDS 48u

static fault_record_t record;
static uint32_t fault_stack[FAULT_STACK_WORDS] __attribute__((aligned(8)));

/* Reached by a branch from mcusim_fault, on fault_stack: what lies on the main stack is evidence. */
__attribute__((used, noreturn)) static void report(uint32_t frame_address, uint32_t exc_return, uint32_t frame_valid)
{
    uint32_t exception;
    __asm__ volatile("mrs %0, ipsr" : "=r"(exception));

    record.magic = FAULT_RECORD_MAGIC;
    record.exception = exception;
    record.samples_done = mcusim_samples_done;
    record.frame_valid = frame_valid;
    record.exc_return = exc_return;
    record.sp = frame_address + ((exc_return & EXC_RETURN_NO_FPU_FRAME) ? BASIC_FRAME_BYTES : FPU_FRAME_BYTES);
    if (frame_valid && (record.frame[7] & XPSR_PADDED)) {
        record.sp += 4;
    }
    record.cfsr = SCB_CFSR;
    record.hfsr = SCB_HFSR;
    record.mmfar = SCB_MMFAR;
    record.bfar = SCB_BFAR;

    const uint32_t *stack = mcusim_stack_start;
    if (record.sp > (uint32_t)mcusim_stack_start && record.sp <= (uint32_t)mcusim_stack_end) {
        stack = (const uint32_t *)(record.sp & ~3u);
    }
    transport_fault(&record, stack, (uint32_t)mcusim_stack_end - (uint32_t)stack);
}

/* The stack may be what broke, so nothing is pushed on it: registers and frame go to `record`, and report()
 * has a stack of its own. A frame outside the stack is not read: a fault in here is a lockup. */
__attribute__((naked)) void mcusim_fault(void)
{
    __asm__ volatile(
        "mov   r0, sp\n"
        "mov   r1, lr\n"
        "ldr   r3, =%c[registers]\n"
        "stmia r3!, {r4-r11}\n"
        "movs  r2, #0\n"
        "ldr   r12, =mcusim_stack_start\n"
        "cmp   r0, r12\n"
        "blo   1f\n"
        "ldr   r12, =mcusim_stack_end - %c[frame_bytes]\n"
        "cmp   r0, r12\n"
        "bhi   1f\n"
        "movs  r2, #1\n"
        "ldmia r0, {r4-r11}\n"
        "stmia r3!, {r4-r11}\n"
        "1:\n"
        "ldr   sp, =%c[fault_stack_end]\n"
        "b     %c[report]\n"
        ".ltorg\n"
        :
        : [registers] "i"(record.r4_to_r11), [frame_bytes] "i"(BASIC_FRAME_BYTES),
          [fault_stack_end] "i"(fault_stack + FAULT_STACK_WORDS), [report] "i"(report));
}
