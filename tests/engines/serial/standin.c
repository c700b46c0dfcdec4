/* The registers of a board's UART and of its cycle counter, played on a pseudo terminal for the real transport_serial.c
 * and board.h. What is written to a register is seen at the next access. standin.h tells where the registers are. */
#include "standin.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"
#include "harness.h"
#include "sample.h"
#include "transport.h"

__asm__(".section .rodata\n .global mcusim_flash_start\nmcusim_flash_start: .incbin \"" FLASH_FILE "\"\n"
        ".global mcusim_flash_end\nmcusim_flash_end: .byte 0\n .text\n");

#define UNTOUCHED 0x80000000u

/* What happens, and when: H and L of the energy pin, M of the model. */
static void log_that(char what)
{
    static FILE *file;
    struct timespec time;
    if (getenv("STANDIN_LOG") == NULL) {
        return;
    }
    file = file != NULL ? file : fopen(getenv("STANDIN_LOG"), "w");
    clock_gettime(CLOCK_MONOTONIC, &time);
    fprintf(file, "%c %ld.%09ld\n", what, (long)time.tv_sec, time.tv_nsec);
    fflush(file);
}

uint32_t mcusim_model_cycles, mcusim_cycle_counter;
static int tty;
static uint8_t heard[4096], said[4096];
static int heard_at, heard_bytes, said_bytes;
static volatile uint32_t cell;
static uint32_t cell_address;
static int looked;

__attribute__((constructor)) static void open_tty(void)
{
    struct termios raw;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    tty = open(getenv("STANDIN_TTY"), O_RDWR | O_NOCTTY);
    tcgetattr(tty, &raw);
    cfmakeraw(&raw);
    cfsetspeed(&raw, B115200);
    tcsetattr(tty, TCSANOW, &raw);
}

static void flush(void)
{
    for (int at = 0; at < said_bytes;) {
        ssize_t written = write(tty, said + at, (size_t)(said_bytes - at));
        at += written > 0 ? (int)written : 0;
    }
    said_bytes = 0;
}

/* Who looks twice without writing waits for a byte: then what was said goes out, and so does a millisecond. */
static int has_byte(void)
{
    struct pollfd waits = {.fd = tty, .events = POLLIN};
    if (heard_at == heard_bytes && looked++ > 0) {
        flush();
        heard_at = heard_bytes = 0;
        if (poll(&waits, 1, 1) > 0) {
            ssize_t read_bytes = read(tty, heard, sizeof heard);
            heard_bytes = read_bytes > 0 ? (int)read_bytes : 0;
        }
    }
    return heard_at < heard_bytes;
}

static void set_speed(uint32_t divisor)
{
    static const struct { uint32_t divisor; speed_t speed; } known[] = RATES;
    struct termios raw;
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].divisor == divisor) {
            flush();
            usleep(10000); /* a pseudo terminal takes no time for what is on its way at the old rate */
            tcgetattr(tty, &raw);
            cfsetspeed(&raw, known[i].speed);
            tcsetattr(tty, TCSADRAIN, &raw);
        }
    }
}

static void settle(void)
{
    const int data = cell_address == DATA_IN || cell_address == DATA_OUT;
    if (data && !(cell & UNTOUCHED)) {
        if (said_bytes == sizeof said) {
            flush();
        }
        said[said_bytes++] = (uint8_t)cell;
        looked = 0;
    } else if (cell_address == DATA_IN && heard_at < heard_bytes) {
        heard_at++;
    } else if (cell_address == DIVISOR) {
        set_speed(cell);
    } else if (cell_address == PIN_HIGH_AT && cell == PIN_HIGH) {
        log_that('H');
    } else if (cell_address == PIN_LOW_AT && cell == PIN_LOW) {
        log_that('L');
    }
}

static uint32_t now(void)
{
    const char *hz = getenv("STANDIN_HZ");
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return hz == NULL ? 0 : (uint32_t)(((double)time.tv_sec + 1e-9 * (double)time.tv_nsec) * atof(hz));
}

volatile uint32_t *standin_register(uint32_t address)
{
    settle();
    cell_address = address;
    if (address == STATUS) {
        cell = STATUS_READY | (has_byte() ? STATUS_BYTE : STATUS_NO_BYTE);
    } else if (address == DATA_IN || address == DATA_OUT) {
        cell = UNTOUCHED | heard[heard_at];
    } else if (address == DWT_CYCCNT) {
        cell = now();
    } else {
        cell = address == IDENTITY ? IDENTITY_WORD : 0xFFFFFFFFu; /* all that anybody waits for is so */
    }
    return &cell;
}

void mcusim_infer(const void *sample, void *answer)
{
    standin_register(0); /* so that what was written before is seen before */
    log_that('M');
    const uint32_t before = now();
    cnn(sample, answer);
    mcusim_model_cycles = now() - before + (before != 0 ? WINDOW : 0);
    tcflush(tty, TCIFLUSH); /* while the model runs nobody listens */
    heard_at = heard_bytes = 0;
}

void mcusim_infer_nothing(void)
{
    mcusim_model_cycles = now() != 0 ? WINDOW : 0;
}

uint32_t mcusim_stack_used_bytes(void)
{
    return 404;
}

void standin_fault(void)
{
    static fault_record_t record;
    static const uint32_t stack[2];
    record = (fault_record_t){.magic = FAULT_RECORD_MAGIC, .exception = 3, .samples_done = mcusim_samples_done, .cfsr = 1u << 25};
    transport_fault(&record, stack, sizeof stack);
}
