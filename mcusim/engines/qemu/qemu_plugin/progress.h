/* What a firmware does right now, for whoever waits for it: progress.bin, which this process maps into its memory. It outlives it. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ACCESSES_TOLD = 256, FRAMES_TOLD = 64, POLLS_WATCHED = 64, IS_POLLED = 100, FIRST_DEVICE = 0x40000000, PAST_DEVICES = 0x60000000 };

/* `access`: the last ones, of instruction and address, at any place of the ring. `frames`: functions on the stack, outermost first. */
typedef struct {
    uint64_t begun, samples;
    uint32_t pc, end, accesses, depth; /* from `pc` to `end` the last block of code */
    uint32_t access[ACCESSES_TOLD][2];
    uint32_t frames[FRAMES_TOLD];
    uint32_t registers_known; /* those of the core, at the beginning of a block */
    uint32_t polled[2];       /* the last instruction that has asked one register of a device again and again, and that */
} progress_t;

static progress_t *progress;

static bool open_progress(void)
{
    int file = open("progress.bin", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0 || ftruncate(file, sizeof *progress) != 0) {
        return false;
    }
    progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return progress != MAP_FAILED;
}

static void tell_poll(uint32_t instruction, uint32_t address, uint32_t times)
{
    static struct {
        uint32_t instruction, address, times;
    } polls[POLLS_WATCHED], *poll;
    poll = &polls[instruction / 2 % POLLS_WATCHED];
    if (poll->instruction != instruction || poll->address != address) {
        poll->instruction = instruction;
        poll->address = address;
        poll->times = 0;
    }
    poll->times += times;
    if (poll->times >= IS_POLLED) {
        progress->polled[0] = instruction;
        progress->polled[1] = address;
    }
}

/* `times`: so often, about, when one in so many is told. */
static inline void tell_access(uint32_t instruction, uint32_t address, uint32_t times)
{
    if (address - FIRST_DEVICE < PAST_DEVICES - FIRST_DEVICE) {
        tell_poll(instruction, address, times);
    }
    uint32_t at = progress->accesses++ % ACCESSES_TOLD;
    progress->access[at][0] = instruction;
    progress->access[at][1] = address;
}

/* `function` is the innermost of `depth`; 0: there is none new. */
static inline void tell_depth(uint32_t depth, uint32_t function)
{
    progress->depth = depth;
    if (function && depth && depth <= FRAMES_TOLD) {
        progress->frames[depth - 1] = function;
    }
}
