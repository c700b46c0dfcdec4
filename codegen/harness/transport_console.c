/* Transport of a firmware that needs nobody: a few samples lie in its flash, and a terminal on the board's UART shows what
 * the model makes of them and how long it took.
 *
 *     mcusim: 3 samples
 *     sample 0: class 4, 1234567 cycles
 *     ..
 *     done: 120 bytes of stack
 */
#include "board.h"
#include "fault.h"
#include "harness.h"
#include "sample.h"
#include "samples.h"
#include "transport.h"

static void put(const char *text)
{
    for (; *text != '\0'; text++) {
        console_write((uint8_t)*text);
    }
}

static void put_number(uint32_t value, uint32_t base)
{
    char digits[11], *digit = digits + sizeof digits - 1;
    *digit = '\0';
    do {
        *--digit = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    put(digit);
}

static _Noreturn void end_of_line(void)
{
    put("\r\n");
    console_flush();
    for (;;) {
        __asm__ volatile("wfi");
    }
}

/* The largest number of the deciding output; of equal ones the first. An only one decides class 1 above a threshold. */
static uint32_t decided_class(const answer_t *answer)
{
#ifdef THRESHOLD
    const float number = (float)DECIDING(answer)[0];
    return number > THRESHOLD ? 1u : 0u;
#else
    uint32_t best = 0;
    for (uint32_t i = 1; i < CLASSES; i++) {
        best = DECIDING(answer)[i] > DECIDING(answer)[best] ? i : best;
    }
    return best;
#endif
}

void transport_open(void)
{
    console_start();
    put("mcusim: ");
    put_number(SAMPLES, 10);
    put(" samples\r\n");
}

int transport_read_sample(void *input, uint32_t bytes)
{
    if (mcusim_samples_done == SAMPLES) {
        return 0;
    }
    const uint8_t *from = (const uint8_t *)&samples[mcusim_samples_done];
    for (uint32_t i = 0; i < bytes; i++) {
        ((uint8_t *)input)[i] = from[i];
    }
    return 1;
}

void transport_write_output(const void *output, uint32_t bytes)
{
    (void)bytes;
    put("sample ");
    put_number(mcusim_samples_done, 10);
    put(": class ");
    put_number(decided_class(output), 10);
    put(", ");
    put_number(mcusim_model_cycles, 10);
    put(" cycles\r\n");
}

_Noreturn void transport_done(uint32_t samples_done, uint32_t stack_bytes)
{
    (void)samples_done;
    put("done: ");
    put_number(stack_bytes, 10);
    put(" bytes of stack");
    end_of_line();
}

_Noreturn void transport_fault(const fault_record_t *fault, const uint32_t *stack, uint32_t stack_bytes)
{
    (void)stack;
    (void)stack_bytes;
    put("fault: exception ");
    put_number(fault->exception, 10);
    put(" at ");
    put_number(fault->frame_valid ? fault->frame[6] : 0, 16);
    put(", cfsr ");
    put_number(fault->cfsr, 16);
    put(", address ");
    put_number(fault->mmfar, 16);
    end_of_line();
}
