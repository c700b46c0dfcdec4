/* TCG plugin of the profiler: executed blocks and the edges between them, from one marker to the other, sample by sample, and the
 * calls that they belong to.
 *
 * Each translated block has one callback that counts the edge from the block before it. That is exact where a
 * block runs to its end; where QEMU leaves one in the middle for a device, it runs the instruction that did it as a block of
 * its own, in which memory callbacks fire and others do not: those blocks have one, and take back what was counted too much.
 *
 * Options: from=ADDRESS to=ADDRESS (0: where the call of `from` returns) calls=N (0: all) nonce=TEXT read=PATH.. probe=on oracle=on
 *   stack=ADDRESS (of the stack at reset: the first word of the vectors) longest=BYTES (of a file that the firmware writes)
 *   watch=on (no access is planned)
 *   icache= dcache=SETS:WAYS:LINE:GRANULE:REFRESH unified=on flash=ORIGIN:END region=ORIGIN:END..   (any of these: replay)
 * Files, in the working folder: those of replay.h and progress.h; plugin.txt, written last, "nonce instructions samples confined".
 */
#define _GNU_SOURCE /* O_PATH */

#include "abi.h"
#include "confine.h"
#include "replay.h"
#include "progress.h"
#include "planned.h"
#include "calls.h"
#include "leaving.h"
#include "start.h"
#include "options.h"

static int api;
static uint64_t oracle_instructions;
static bool registers_known = true, registers_checked;
static plan_t *last_plan; /* of the block before, if it was measured */

/* ---- Callbacks --------------------------------------------------------------------------------------------- */

/* QEMU's generated code keeps a pointer to the state of the core in one register of this machine, which callbacks find there; the state
 * begins with r0 to r15. QEMU 6.2 to 8.2 have no other way to read them. Nothing of that is promised: check_registers() proves it. */
#if defined __x86_64__
__asm__(".text\non_block_with_state: mov %rbp, %rdx\n jmp on_block\n"
        "on_planned_with_state: mov %rbp, %rdx\n jmp on_planned\n");
#elif defined __aarch64__
__asm__(".text\non_block_with_state: mov x2, x19\n b on_block\n"
        "on_planned_with_state: mov x2, x19\n b on_planned\n");
#else
__asm__(".text\n.set on_block_with_state, on_block\n.set on_planned_with_state, on_planned\n");
#define NO_STATE
#endif
void on_block_with_state(unsigned vcpu, void *data);
void on_block(unsigned vcpu, void *data, const uint32_t *registers);
void on_planned_with_state(unsigned vcpu, void *data);
void on_planned(unsigned vcpu, void *data, const uint32_t *registers);

/* At the first block after the reset the stack pointer is the first word of the vectors, and LR is all ones (Armv7-M Architecture
 * Reference Manual, B1.5.5). The pointer may be anything, so that the kernel reads what is behind it: it fails where we would crash. */
static void check_registers(const uint32_t *registers)
{
    uint32_t found[16] = {0};
    int ends[2];
    registers_checked = true;
    registers_known = false;
#ifndef NO_STATE
    if (pipe(ends) == 0) {
        registers_known = write(ends[1], registers, sizeof found) == sizeof found && read(ends[0], found, sizeof found) == sizeof found &&
                          found[REGISTER_SP] == ((uint32_t)profiled.stack & ~3u) && found[REGISTER_LR] == UINT32_MAX;
        close(ends[0]);
        close(ends[1]);
    }
#else
    (void)registers, (void)found, (void)ends;
#endif
    progress->registers_known = registers_known;
}

static void begin(void)
{
    begin_sample();
    measured_stack = running;
    measured_frame = (int64_t)running->depth - 1;
    if (top()) {
        top()->node = MEASURED_NODE;
        top()->elsewhere = false;
    }
    nodes[MEASURED_NODE].calls++;
    progress->begun++;
}

/* A firmware that never ends is left when enough was measured. */
static void end(bool jumped)
{
    if (options.to && jumped) { /* it is measured to another place */
        return;
    }
    inside = false;
    previous->hot = NULL;
    count_planned();
    end_sample();
    jumped_out += jumped;
    progress->samples = samples;
    if (profiled.calls && samples == profiled.calls) {
        finish();
        _exit(0);
    }
}

/* `plan`: NULL when all accesses are watched. */
__attribute__((always_inline)) static inline void run_block(block_t *block, plan_t *plan, const uint32_t *registers)
{
    const block_t *before = last;
    if (waiting.plan) {
        do_waiting(UINT32_MAX);
    }
    if (before->exit > EXIT_DIRECT || before->function != block->function ||
        (block->start != before->target && block->start != before->end) || before == &outside_block) {
        arrive(block, registers);
    }
    if (__builtin_expect(block->special, 0)) {
        if (inside && options.to && options.to == block->start) {
            end(false);
        } else if (!inside && block->start == options.from) {
            begin();
        }
    }
    if (inside) {
        if (block->fetched && !elsewhere) {
            fetch(block, previous);
        }
        if (plan && !elsewhere) {
            do_plan(plan, registers);
        }
        block_executed(block);
    }
    last = block;
    last_plan = inside && !elsewhere ? plan : NULL;
    last_sp = registers ? registers[REGISTER_SP] : 0;
    progress->pc = block->start;
    progress->end = block->end;
}

__attribute__((used)) void on_block(unsigned vcpu, void *data, const uint32_t *registers)
{
    (void)vcpu;
    if (__builtin_expect(!registers_checked, 0)) {
        check_registers(registers);
    }
    run_block(data, NULL, registers_known ? registers : NULL);
}

__attribute__((used)) void on_planned(unsigned vcpu, void *data, const uint32_t *registers)
{
    static unsigned turns;
    plan_t *plan = data;
    (void)vcpu;
    run_block(plan->block, plan, registers);
    unsigned untold = inside ? TURNS_UNTOLD : OUTSIDE_UNTOLD;
    if (__builtin_expect(++turns >= untold, 0)) {
        turns = 0;
        tell_planned(plan, registers, untold);
    }
}

static void on_access(unsigned vcpu, uint32_t info, uint64_t address, void *data)
{
    (void)vcpu;
    (void)info;
    access_t *access = data;
    tell_access(access->address, (uint32_t)address, 1);
    if (inside && !elsewhere) {
        if (waiting.plan) {
            do_waiting(access->address);
        }
        memory_accessed(access, (uint32_t)address);
    }
}

/* Two words are two accesses, whether a QEMU tells them apart (LDRD until 9.2) or not. */
static void on_wide_access(unsigned vcpu, uint32_t info, uint64_t address, void *data)
{
    on_access(vcpu, info, address, data);
    if (qemu_plugin_mem_size_shift(info) == 3) {
        on_access(vcpu, info, address + 4, data);
    }
}

/* A block of one instruction. */
static void on_lone_access(unsigned vcpu, uint32_t info, uint64_t address, void *data)
{
    (void)vcpu;
    (void)info;
    (void)address;
    const block_t *own = data;
    if (last != own && own->start >= last->start && own->start < last->end && own->start != last->last) {
        if (last_plan) {
            undo_plan(last_plan, own->start);
        }
        if (inside) {
            cut_short(own->start, own->end);
        }
        last = inside ? previous : first_part(last, own->start, own->end);
    }
}

static void on_instruction(unsigned vcpu, void *data)
{
    (void)vcpu;
    (void)data;
    oracle_instructions += inside && !elsewhere;
}

/* ---- Translation ------------------------------------------------------------------------------------------- */

/* Of a Thumb instruction by its first halfword: some versions of QEMU tell a wrong size at the end of a page. */
static uint32_t width(INSN *insn, uint16_t *halfword)
{
    void *bytes = qemu_plugin_insn_haddr(insn);
    if (!bytes) {
        *halfword = 0;
        return (uint32_t)qemu_plugin_insn_size(insn);
    }
    memcpy(halfword, bytes, sizeof *halfword);
    return *halfword >> 11 >= 0x1d ? 4 : 2;
}

/* Code may lie in RAM, and change there. `at`: where `bytes` of it belong in the block. Is that as it was? */
static bool keep_code(block_t *block, uint32_t at, const void *bytes, uint32_t size)
{
    uint32_t room = block->end - block->start;
    if (!bytes || at + size > room) {
        return false;
    }
    if (!block->code) {
        block->code = must(calloc(1, room));
    }
    bool same = !memcmp(block->code + at, bytes, size);
    block->changed |= !same && block->known;
    memcpy(block->code + at, bytes, size);
    return same;
}

/* Of an IT block the instructions behind `at`, which is `first`, that may be skipped. `left`: this one and those behind it are. */
static unsigned skipped_behind(uint16_t first, unsigned left)
{
    return first >> 8 == 0xbf && first & 0xf ? 4 - (unsigned)__builtin_ctz(first & 0xf) : left ? left - 1 : 0;
}

/* A block may begin inside of an IT block: at the end of a page, or behind a device. */
static unsigned skipped_at(uint32_t address)
{
    access_t *access = access_room ? *access_place(address) : NULL;
    return access ? access->conditional : 0;
}

/* Keeps its code, and has accesses watched: those that may be skipped, and for the caches all that no plan knows.
 *
 * A block of one instruction has no plan: QEMU may run it without its callback, see above.
 */
static plan_t *read_code(TB *tb, block_t *block, size_t count)
{
    bool replayed = memory.replay, plans = replayed && registers_checked && registers_known && !profiled.watch && count > 1, same = true;
    plan_t *plan = plans ? new_plan(block) : NULL;
    unsigned conditional = skipped_at(block->start), first_conditional = conditional;
    reader_t reader;
    reader_begins(&reader);
    for (size_t i = 0; i < count; i++) {
        INSN *insn = qemu_plugin_tb_get_insn(tb, i);
        uint32_t at = (uint32_t)qemu_plugin_insn_vaddr(insn);
        uint16_t halfwords[2] = {0};
        uint32_t size = width(insn, &halfwords[0]);
        const void *bytes = qemu_plugin_insn_haddr(insn);
        if (bytes) {
            memcpy(halfwords, bytes, size);
        }
        same &= keep_code(block, block->offsets[i], bytes, size);
        access_t *access = replayed || conditional ? access_for(at) : NULL;
        if (conditional) {
            access->conditional = (uint8_t)conditional;
        }
        read_instruction(&reader, at, halfwords[0], halfwords[1], conditional);
        if (access && reader.reach.words) {
            access->halves = reader.reach.halves;
        }
        if (!bytes) {
            read_unknown(&reader);
        }
        bool planned = plan && !reader.watch && (!reader.reach.words || plan_accesses(plan, access, &reader.reach));
        if (plan && !planned) {
            plan->watched = true;
        }
        if (conditional || (replayed && !planned)) {
            mem_callback callback = reader.wide ? on_wide_access : on_access;
            qemu_plugin_register_vcpu_mem_cb(insn, callback, NO_REGISTERS, LOADS_AND_STORES, access);
        }
        if (options.oracle) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_instruction, NO_REGISTERS, NULL);
        }
        conditional = skipped_behind(halfwords[0], conditional);
    }
    if (conditional) {
        access_for(block->end)->conditional = (uint8_t)conditional;
    }
    block->known = block->code;
    if (!plan) {
        return NULL;
    }
    plan->conditional = first_conditional;
    return same && block->plans && block->plans->conditional == first_conditional ? drop_plan(plan) : keep_plan(plan);
}

static void translate(TB *tb)
{
    size_t count = qemu_plugin_tb_n_insns(tb);
    INSN *final = qemu_plugin_tb_get_insn(tb, count - 1);
    uint16_t halfword;
    uint32_t start = (uint32_t)qemu_plugin_tb_vaddr(tb), at = (uint32_t)qemu_plugin_insn_vaddr(final);
    block_t *block = block_for(start, at + width(final, &halfword), at, (uint32_t)count);
    if (!block->offsets) {
        block->offsets = must(calloc(count, sizeof *block->offsets));
        for (size_t i = 0; i < count; i++) {
            block->offsets[i] = (uint16_t)(qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, i)) - start);
        }
    }
    block->special = start == options.from || start == options.to;
    uint16_t ending[2] = {0};
    if (qemu_plugin_insn_haddr(final)) {
        memcpy(ending, qemu_plugin_insn_haddr(final), block->end - at);
    }
    leave_kind(block, ending[0], ending[1]);
    if (count == 1) {
        qemu_plugin_register_vcpu_mem_cb(final, on_lone_access, NO_REGISTERS, LOADS_AND_STORES, block);
    }
    plan_t *plan = read_code(tb, block, count);
    if (plan) {
        qemu_plugin_register_vcpu_tb_exec_cb(tb, on_planned_with_state, NO_REGISTERS, plan);
    } else {
        qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block_with_state, NO_REGISTERS, block);
    }
}

static void finish(void)
{
    if (inside) {
        inside = false;
        never_returned++;
        if (waiting.plan) {
            do_waiting(UINT32_MAX);
        }
        count_planned();
        end_sample();
    }
    failed |= fclose(samples_file) != 0;
    write_blocks();
    write_code();
    write_tree(never_returned, jumped_out);
    if (failed) {
        fprintf(stderr, "mcusim: the profile could not be written: %s\n", strerror(errno));
        return;
    }
    FILE *summary = fopen("plugin.txt", "w");
    if (summary) {
        fprintf(summary, "%s %llu %llu %d\n", options.nonce, (unsigned long long)oracle_instructions, (unsigned long long)samples, confined);
        fclose(summary);
    }
}

/* ---- Start ------------------------------------------------------------------------------------------------- */

EXPORT int qemu_plugin_install(uint64_t id, const info_t *info, int argc, char **argv)
{
    api = info->version.cur;
    bind_to_parent();
    uint64_t handled = open_ruleset();
    for (int i = 0; i < argc; i++) {
        if (!parse(argv[i], parse_own)) {
            fprintf(stderr, "mcusim: unknown or wrong plugin option '%s'\n", argv[i]);
            return 1;
        }
    }
    if (options.probe) {
        answer_probe(api);
    }
    find_quiet((uint32_t)profiled.stack);
    if (!memory_set_up()) {
        fprintf(stderr, "mcusim: no room for caches before 0x%08x to 0x%08x\n", memory.flash, memory.flash_end);
        return 1;
    }
    samples_file = fopen("samples.bin", "wb");
    if (!samples_file || !options.nonce) {
        fprintf(stderr, "mcusim: samples.bin: %s\n", strerror(errno));
        return 1;
    }
    read_functions();
    plant_tree((uint32_t)options.from);
    if (!open_progress()) {
        fprintf(stderr, "mcusim: progress.bin: %s\n", strerror(errno));
        return 1;
    }
    confine(handled);
    register_callbacks(id, api);
    return 0;
}
