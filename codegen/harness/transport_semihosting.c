/* Transport over Arm semihosting: input.bin, output.bin, result.txt and fault.bin in the folder in which
 * the emulator (or debugger) runs. Two calls a sample, a few microseconds under QEMU.
 * Reference: Arm, "Semihosting for AArch32 and AArch64", release 2.0. */
#include "fault.h"
#include "transport.h"

enum {
    SYS_OPEN = 0x01,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_GET_CMDLINE = 0x15,
    SYS_EXIT_EXTENDED = 0x20
};
enum { MODE_RB = 1, MODE_WB = 5 };

#define APPLICATION_EXIT 0x20026u
#define NOT_OPENED 0xFFFFFFFFu
#define COMMAND_LINE_BYTES 80u

static uint32_t input_file, output_file;

static uint32_t semihosting(uint32_t operation, const void *arguments)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static _Noreturn void leave(uint32_t code)
{
    const uint32_t arguments[2] = {APPLICATION_EXIT, code};
    for (;;) {
        semihosting(SYS_EXIT_EXTENDED, arguments);
    }
}

static uint32_t open_file(const char *name, uint32_t name_length, uint32_t mode, uint32_t code_on_failure)
{
    const uint32_t arguments[3] = {(uint32_t)name, mode, name_length};
    uint32_t file = semihosting(SYS_OPEN, arguments);
    if (file == NOT_OPENED) {
        leave(code_on_failure);
    }
    return file;
}

#define OPEN(name, mode, code_on_failure) open_file(name, sizeof name - 1, mode, code_on_failure)

static void write_all(uint32_t file, const void *data, uint32_t bytes, uint32_t code_on_failure)
{
    const uint32_t arguments[3] = {file, (uint32_t)data, bytes};
    if (semihosting(SYS_WRITE, arguments) != 0) {
        leave(code_on_failure);
    }
}

void transport_open(void)
{
    input_file = OPEN("input.bin", MODE_RB, TRANSPORT_NO_INPUT);
    output_file = OPEN("output.bin", MODE_WB, TRANSPORT_OUTPUT_FAILED);
}

int transport_read_sample(void *input, uint32_t bytes)
{
    const uint32_t arguments[3] = {input_file, (uint32_t)input, bytes};
    uint32_t missing = semihosting(SYS_READ, arguments);
    if (missing != 0 && missing != bytes) {
        leave(TRANSPORT_TRUNCATED_INPUT);
    }
    return missing == 0;
}

void transport_write_output(const void *output, uint32_t bytes)
{
    write_all(output_file, output, bytes, TRANSPORT_OUTPUT_FAILED);
}

static char *append_hex(char *end, uint32_t value)
{
    *end++ = ' ';
    for (int shift = 28; shift >= 0; shift -= 4) {
        uint32_t digit = (value >> shift) & 0xFu;
        *end++ = (char)(digit < 10 ? '0' + digit : 'a' + digit - 10);
    }
    return end;
}

/* result.txt: "<command line> <samples> <stack bytes>", numbers in hexadecimal. The command line carries
 * a nonce of the engine, so that a file left by another run is not mistaken for this one. */
_Noreturn void transport_done(uint32_t samples, uint32_t stack_bytes)
{
    char text[COMMAND_LINE_BYTES + 19];
    uint32_t arguments[2] = {(uint32_t)text, COMMAND_LINE_BYTES};
    char *end = text;
    if (semihosting(SYS_GET_CMDLINE, arguments) == 0) {
        while (*end != '\0') {
            end++;
        }
    }
    end = append_hex(end, samples);
    end = append_hex(end, stack_bytes);
    *end++ = '\n';
    uint32_t file = OPEN("result.txt", MODE_WB, TRANSPORT_RESULT_FAILED);
    write_all(file, text, (uint32_t)(end - text), TRANSPORT_RESULT_FAILED);
    leave(TRANSPORT_OK);
}

/* fault.bin: the record, then the stack from the faulting function outwards. */
_Noreturn void transport_fault(const fault_record_t *fault, const uint32_t *stack, uint32_t stack_bytes)
{
    uint32_t file = OPEN("fault.bin", MODE_WB, TRANSPORT_FAULT);
    write_all(file, fault, sizeof *fault, TRANSPORT_FAULT);
    write_all(file, stack, stack_bytes, TRANSPORT_FAULT);
    leave(TRANSPORT_FAULT);
}
