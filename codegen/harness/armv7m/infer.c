/* cnn() between two addresses that an engine can watch. */
#include "harness.h"
#include "mailbox.h"

uint32_t mcusim_model_cycles, mcusim_cycle_counter = DWT_CYCCNT;

/* Hand-written so that no compiler moves work between the call and the label: instructions counted from
 * the first one of `cnn` up to `mcusim_infer_return` are exactly those of the model.
 *
 * The doorbells of mailbox.h ring just before and after. An emulator knows how much was executed where a block begins,
 * so each of them stands behind a branch; CallInstructions of mcusim_mailbox.cs are those from label 1 to the call. */
#define CALL(model, after) \
    __asm__ volatile( \
        "push  {r4, r5, r6, lr}\n" \
        "ldr   r4, =%c[doorbells]\n" \
        "ldr   r5, =%c[cycle_counter]\n" \
        "ldr   r5, [r5]\n" \
        "b     1f\n" \
        "1:\n" \
        "ldr   r6, [r5]\n" \
        "str   r4, [r4, %[begins]]\n" \
        "bl    " model "\n" \
        after \
        "str   r4, [r4, %[returned]]\n" \
        "ldr   r0, [r5]\n" \
        "subs  r0, r0, r6\n" \
        "ldr   r1, =%c[cycles]\n" \
        "str   r0, [r1]\n" \
        "pop   {r4, r5, r6, pc}\n" \
        ".ltorg\n" \
        : \
        : [doorbells] "i"(ITM_STIMULUS), [cycle_counter] "i"(&mcusim_cycle_counter), \
          [begins] "i"(4 * DOORBELL_MODEL_BEGINS), [returned] "i"(4 * DOORBELL_MODEL_RETURNED), \
          [cycles] "i"(&mcusim_model_cycles))

__attribute__((naked)) void mcusim_infer(const void *sample, void *answer)
{
    CALL("cnn", ".global mcusim_infer_return\nmcusim_infer_return:\n");
    (void)sample;
    (void)answer;
}

/* The same around nothing: what of the cycles above is not the model's. */
__attribute__((naked)) void mcusim_infer_nothing(void)
{
    CALL("mcusim_nothing", "");
}

__attribute__((naked, used)) void mcusim_nothing(void)
{
    __asm__ volatile("bx lr");
}
