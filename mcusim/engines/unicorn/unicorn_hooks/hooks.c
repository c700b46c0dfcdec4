/* Hooks of Unicorn, in the process of the worker: executed blocks and the edges between them, caches, and counted instructions.
 *
 * Files, in the working folder: those of replay.h; progress.bin of progress.h; counts.bin, a uint64 for each sample.
 * A block of Unicorn runs from its first instruction to its last, but for the last one of a run.
 */
#define _GNU_SOURCE

#include <unicorn/unicorn.h>

#include "progress.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function" /* of it, what follows calls */
#include "replay.h"
#pragma GCC diagnostic pop

#define EXPORT __attribute__((visibility("default")))

enum { BLOCKS_KEPT = 1 << 16, ACCESSES_KEPT = 1 << 16, LONGEST_BLOCK = 1 << 14, IF_THEN = 0x0600FC00 };

static struct {
    uc_engine *engine;
    uint32_t from, to, returns_to, sp;
    uint64_t calls, instructions;
    uint64_t every, since; /* blocks between measured calls, from one tick to the next; 0: none */
    bool profile, ticked;
    uc_hook blocks, accesses;
} run;
static block_t *kept_blocks[BLOCKS_KEPT];
static access_t *kept_accesses[ACCESSES_KEPT];
static FILE *counts_file;

static int32_t function_of(uint32_t address) /* calls are not told apart */
{
    (void)address;
    return -1;
}

static uint32_t width(const uint8_t *code)
{
    return code[1] >> 3 >= 0x1d ? 4 : 2;
}

static block_t *translated(uint32_t start, uint32_t size)
{
    block_t **kept = &kept_blocks[start / 2 % BLOCKS_KEPT];
    if (*kept && (*kept)->start == start && (*kept)->end - start == size) {
        return *kept;
    }
    uint8_t code[LONGEST_BLOCK + 4] = {0};
    uint32_t instructions = 0, at = 0, last = 0;
    if (size > LONGEST_BLOCK || uc_mem_read(run.engine, start, code, size)) {
        fprintf(stderr, "mcusim: a block of %u bytes at 0x%08x cannot be read\n", size, start);
        exit(1);
    }
    while (at < size) {
        last = at;
        at += width(code + at);
        instructions++;
    }
    block_t *block = block_for(start, start + at, start + last, instructions);
    if (!block->code) {
        block->code = must(malloc(at));
        memcpy(block->code, code, at);
    } else {
        block->changed |= memcmp(block->code, code, at) != 0;
    }
    return *kept = block;
}

static void end_of_call(void)
{
    inside = false;
    if (run.profile) {
        end_sample();
    } else {
        failed |= fwrite(&run.instructions, sizeof run.instructions, 1, counts_file) != 1 || fflush(counts_file) != 0;
        samples++;
    }
    progress->samples = samples;
    if (run.calls && samples == run.calls) {
        uc_emu_stop(run.engine);
    }
}

static void on_block(uc_engine *engine, uint64_t address, uint32_t size, void *data)
{
    uint32_t at = (uint32_t)address, sp = 0, lr = 0;
    (void)data;
    progress->pc = at;
    progress->end = at + size;
    if (inside && at == (run.to ? run.to : run.returns_to)) {
        uc_reg_read(engine, UC_ARM_REG_SP, &sp);
        if (run.to || sp == run.sp) {
            end_of_call();
        }
    }
    if (!inside && at == run.from && !(run.calls && samples == run.calls)) {
        uc_reg_read(engine, UC_ARM_REG_LR, &lr);
        uc_reg_read(engine, UC_ARM_REG_SP, &run.sp);
        run.returns_to = lr & ~1u;
        run.instructions = 0;
        begin_sample();
        progress->begun++;
    }
    if (run.every && !inside && ++run.since >= run.every) {
        run.since = 0;
        run.ticked = true;
        uc_emu_stop(engine);
        return;
    }
    if (inside && size) {
        block_t *block = translated(at, size);
        run.instructions += block->instructions;
        if (run.profile) {
            if (block->fetched) {
                fetch(block, previous);
            }
            block_executed(block);
        }
    }
}

/* Unicorn 2.1 leaves the state of an IT block in the core when a hook of memory is called from inside of one: the block behind it
 * would run as if it was still there. */
static void forget_if_then(uc_engine *engine)
{
    uint32_t status = 0;
    uc_reg_read(engine, UC_ARM_REG_XPSR, &status);
    if (status & IF_THEN) {
        status &= ~(uint32_t)IF_THEN;
        uc_reg_write(engine, UC_ARM_REG_XPSR, &status);
    }
}

static void on_access(uc_engine *engine, uc_mem_type type, uint64_t address, int size, int64_t value, void *data)
{
    uint32_t pc = 0;
    (void)type, (void)size, (void)value, (void)data;
    uc_reg_read(engine, UC_ARM_REG_PC, &pc);
    forget_if_then(engine);
    if (!inside) {
        return;
    }
    pc &= ~1u;
    access_t **kept = &kept_accesses[pc / 2 % ACCESSES_KEPT];
    if (!*kept || (*kept)->address != pc) {
        *kept = access_for(pc);
    }
    tell_access(pc, (uint32_t)address, 1);
    memory_accessed(*kept, (uint32_t)address);
}

/* Without caches (`instruction` is empty) only blocks are counted; without `data` the one of instructions serves both. */
EXPORT bool mcusim_watch(uc_engine *engine, uint32_t from, uint32_t to, uint64_t calls, bool profile, const char *instruction,
                  const char *data, const uint32_t *flash, const uint32_t *regions, uint32_t region_count)
{
    run.engine = engine;
    run.from = from;
    run.to = to;
    run.calls = calls;
    run.profile = profile;
    plant_tree(from);
    samples_file = fopen("samples.bin", "wb");
    counts_file = fopen("counts.bin", "wb");
    if (!samples_file || !counts_file || !open_progress() || region_count > MAX_REGIONS) {
        return false;
    }
    if (*instruction) {
        memory.replay = true;
        memory.unified = !*data;
        if (!cache_set_up(&memory.instruction, instruction) || (*data && !cache_set_up(&memory.data, data))) {
            return false;
        }
        memory.flash = flash[0];
        memory.flash_end = flash[1];
        memory.regions = region_count;
        for (uint32_t i = 0; i < region_count; i++) {
            memory.region[i] = regions[2 * i];
            memory.region_end[i] = regions[2 * i + 1];
        }
        if (!memory_set_up()) {
            return false;
        }
    }
    const uint64_t all = 1, none = 0; /* begin > end: every address */
    bool added = !uc_hook_add(engine, &run.blocks, UC_HOOK_BLOCK, (void *)on_block, NULL, all, none);
    if (profile) {
        added &= !uc_hook_add(engine, &run.accesses, UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE, (void *)on_access, NULL, all, none);
    }
    return added;
}

EXPORT void mcusim_tick_every(uint64_t blocks)
{
    run.every = blocks;
    run.since = 0;
}

/* Was it stopped for a tick? */
EXPORT bool mcusim_ticked(void)
{
    bool ticked = run.ticked;
    run.ticked = false;
    return ticked;
}

EXPORT bool mcusim_finish(void)
{
    failed |= fclose(samples_file) != 0 || fclose(counts_file) != 0;
    if (run.profile) {
        write_blocks();
        write_code();
    }
    return !failed;
}
