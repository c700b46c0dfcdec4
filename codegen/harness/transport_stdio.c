/* Transport of the host engine: the same files as transport_semihosting.c, through the C library. */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "transport.h"

#if defined(__linux__)
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#endif

static FILE *input_file, *output_file;

static FILE *open_file(const char *name, const char *mode, int code_on_failure)
{
    FILE *file = fopen(name, mode);
    if (file == NULL) {
        perror(name);
        exit(code_on_failure);
    }
    return file;
}

/* Never an orphan, never a core file: the engine that started us reports what happened. It says its number, so that we
 * see when it ended before we asked for the signal. */
static void bind_to_parent(void)
{
#if defined(__linux__)
    const struct rlimit no_core = {0, 0};
    const char *parent = getenv("MCUSIM_PARENT");
    setrlimit(RLIMIT_CORE, &no_core);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (parent != NULL && strtol(parent, NULL, 10) != getppid()) {
        exit(TRANSPORT_ORPHAN);
    }
#endif
}

void transport_open(void)
{
    bind_to_parent();
    input_file = open_file("input.bin", "rb", TRANSPORT_NO_INPUT);
    output_file = open_file("output.bin", "wb", TRANSPORT_OUTPUT_FAILED);
    setvbuf(output_file, NULL, _IONBF, 0); /* the size of the file is the engine's progress */
}

int transport_read_sample(void *input, uint32_t bytes)
{
    size_t read = fread(input, 1, bytes, input_file);
    if (read != 0 && read != bytes) {
        exit(TRANSPORT_TRUNCATED_INPUT);
    }
    return read == bytes;
}

void transport_write_output(const void *output, uint32_t bytes)
{
    if (fwrite(output, 1, bytes, output_file) != bytes) {
        perror("output.bin");
        exit(TRANSPORT_OUTPUT_FAILED);
    }
}

_Noreturn void transport_done(uint32_t samples, uint32_t stack_bytes)
{
    const char *nonce = getenv("MCUSIM_NONCE");
    FILE *file = open_file("result.txt", "wb", TRANSPORT_RESULT_FAILED);
    fprintf(file, "%s %08x %08x\n", nonce == NULL ? "" : nonce, (unsigned)samples, (unsigned)stack_bytes);
    if (fclose(file) != 0) {
        perror("result.txt");
        exit(TRANSPORT_RESULT_FAILED);
    }
    exit(TRANSPORT_OK);
}

uint32_t mcusim_stack_used_bytes(void)
{
    return 0;
}
