/* Transport through the mailbox in RAM, for the board itself and for Renode: see mailbox.h. */
#include "harness.h"
#include "mailbox.h"
#include "sample.h"
#include "transport.h"

extern sample_t mcusim_input;
extern answer_t mcusim_output;

mailbox_t mcusim_mailbox = {
    .magic = MAILBOX_MAGIC,
    .version = MAILBOX_VERSION,
    .bytes = sizeof(mailbox_t),
    .input = (uint32_t)&mcusim_input,
    .input_bytes = sizeof mcusim_input,
    .output = (uint32_t)&mcusim_output,
    .output_bytes = sizeof mcusim_output,
    .cycle_counter = DWT_CYCCNT,
    .fault_bytes = sizeof(fault_record_t),
};

/* Whoever reads memory after this sees all that was written before. */
static void ring(uint32_t port, uint32_t value)
{
    __asm__ volatile("dsb" ::: "memory");
    ((volatile uint32_t *)ITM_STIMULUS)[port] = value;
    __asm__ volatile("dsb" ::: "memory");
}

static _Noreturn void wait_for_ever(void)
{
    for (;;) {
        __asm__ volatile("wfi");
    }
}

void transport_open(void)
{
}

int transport_read_sample(void *input, uint32_t bytes)
{
    (void)input; /* what the mailbox says of both is what they are */
    (void)bytes;
    mcusim_mailbox.samples = mcusim_samples_done;
    mcusim_mailbox.cycles = mcusim_model_cycles;
    mcusim_mailbox.state = MAILBOX_SAMPLE_WANTED;
    ring(DOORBELL_STATE, 0);
    while (mcusim_mailbox.state == MAILBOX_SAMPLE_WANTED) {
    }
    mcusim_cycle_counter = mcusim_mailbox.cycle_counter;
    return mcusim_mailbox.state == MAILBOX_SAMPLE_THERE;
}

void transport_write_output(const void *output, uint32_t bytes)
{
    (void)output; /* taken when the next sample is wanted */
    (void)bytes;
}

_Noreturn void transport_done(uint32_t samples, uint32_t stack_bytes)
{
    mcusim_mailbox.samples = samples;
    mcusim_mailbox.stack_bytes = stack_bytes;
    mcusim_mailbox.state = MAILBOX_DONE;
    ring(DOORBELL_STATE, 0);
    wait_for_ever();
}

_Noreturn void transport_fault(const fault_record_t *fault, const uint32_t *stack, uint32_t stack_bytes)
{
    mcusim_mailbox.fault = (uint32_t)fault;
    mcusim_mailbox.stack = (uint32_t)stack;
    mcusim_mailbox.stack_left = stack_bytes;
    mcusim_mailbox.state = MAILBOX_FAULT;
    ring(DOORBELL_FAULT, 0);
    wait_for_ever();
}

void mailbox_text(const char *text)
{
    for (; *text != '\0'; text++) {
        ring(DOORBELL_TEXT, (uint8_t)*text);
    }
}
