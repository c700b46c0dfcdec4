/* Transport through the mailbox in RAM, for the board itself and for Renode: see mailbox.h. */
#include "energy.h"
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

/* Whoever reads memory after this sees all that was written before. It is there once, for the sake of its label. */
__attribute__((noinline, noclone)) static void ring(uint32_t port, uint32_t value)
{
    __asm__ volatile("dsb" ::: "memory");
    ((volatile uint32_t *)ITM_STIMULUS)[port] = value;
    __asm__ volatile(
        "dsb\n"
        ".global mcusim_doorbell_rung\n"
        "mcusim_doorbell_rung:\n" ::: "memory");
}

static _Noreturn void spin_for_ever(void)
{
    for (;;) {
        __asm__ volatile("");
    }
}

/* Bit by bit: a table would be a kilobyte of flash for what is asked for only over a wire that is slower than this. */
static uint32_t crc32_of(const void *data, uint32_t bytes)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (uint32_t i = 0; i < bytes; i++) {
        crc ^= ((const uint8_t *)data)[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}

void transport_open(void)
{
    energy_pin_start();
    mcusim_time_nothing();
    mcusim_mailbox.window_cycles = mcusim_model_cycles;
    mcusim_model_cycles = 0;
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
    const int there = mcusim_mailbox.state == MAILBOX_SAMPLE_THERE;
    if (there) {
        mcusim_energy_pin_high();
    }
    return there;
}

void transport_write_output(const void *output, uint32_t bytes)
{
    (void)bytes; /* the answer itself is taken when the next sample is wanted */
    for (uint32_t run = 1; run < mcusim_mailbox.repeat; run++) {
        mcusim_infer(&mcusim_input, &mcusim_output);
    }
    energy_pin_low();
    if (mcusim_mailbox.check) { /* after the model, whose caches are as warm as ever */
        mcusim_mailbox.input_crc = crc32_of(&mcusim_input, sizeof mcusim_input);
        mcusim_mailbox.output_crc = crc32_of(output, sizeof mcusim_output);
    }
}

_Noreturn void transport_done(uint32_t samples, uint32_t stack_bytes)
{
    mcusim_mailbox.samples = samples;
    mcusim_mailbox.stack_bytes = stack_bytes;
    mcusim_mailbox.state = MAILBOX_DONE;
    ring(DOORBELL_STATE, 0);
    spin_for_ever();
}

_Noreturn void transport_fault(const fault_record_t *fault, const uint32_t *stack, uint32_t stack_bytes)
{
    mcusim_mailbox.fault = (uint32_t)fault;
    mcusim_mailbox.stack = (uint32_t)stack;
    mcusim_mailbox.stack_left = stack_bytes;
    mcusim_mailbox.state = MAILBOX_FAULT;
    ring(DOORBELL_FAULT, 0);
    spin_for_ever();
}

void mailbox_text(const char *text)
{
    for (; *text != '\0'; text++) {
        ring(DOORBELL_TEXT, (uint8_t)*text);
    }
}
