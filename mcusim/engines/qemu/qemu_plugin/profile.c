/* TCG plugin of the profiler: executed blocks and the edges between them, from one marker to the other, sample by sample.
 *
 * Each translated block has one callback that counts the edge from the block before it. That is exact where a
 * block runs to its end; where QEMU leaves one in the middle for a device, it runs the instruction that did it as a block of
 * its own, in which memory callbacks fire and others do not: those blocks have one, and take back what was counted too much.
 *
 * Options: from=ADDRESS to=ADDRESS (0: where the call of `from` returns) calls=N (0: all) nonce=TEXT read=PATH.. probe=on oracle=on
 *   icache= dcache=SETS:WAYS:LINE:GRANULE:REFRESH unified=on flash=ORIGIN:END region=ORIGIN:END..   (any of these: replay)
 * Files, in the working folder: those of replay.h; plugin.txt, written last, "nonce instructions samples confined".
 */
#define _GNU_SOURCE /* O_PATH */

#include "abi.h"
#include "confine.h"
#include "replay.h"

static struct {
    uint64_t from, to, calls;
    const char *nonce;
    bool oracle, probe;
} options;

static int api;
static uint32_t return_address = UINT32_MAX;
static uint32_t last_end; /* of the block before, also outside of the markers */
static uint64_t oracle_instructions;

/* ---- Callbacks --------------------------------------------------------------------------------------------- */

static void begin(void)
{
    begin_sample();
    if (!options.to) {
        return_address = last_end; /* the instruction after the call */
    }
}

/* A firmware that never ends is left when enough was measured. */
static void end(void)
{
    inside = false;
    previous->hot = NULL;
    end_sample();
    if (options.calls && samples == options.calls) {
        finish();
        _exit(0);
    }
}

static void on_block(unsigned vcpu, void *data)
{
    (void)vcpu;
    if (__builtin_expect(inside, 1)) {
        block_executed(data);
    }
}

static void on_fetched_block(unsigned vcpu, void *data)
{
    (void)vcpu;
    if (__builtin_expect(inside, 1)) {
        fetch(data, previous);
        block_executed(data);
    }
}

/* The blocks at which a measurement may begin or end, and all blocks while it has not been told where it ends. */
static void on_marker(unsigned vcpu, void *data)
{
    block_t *block = data;
    if (inside && block->start == return_address) {
        end();
    } else if (!inside && block->start == options.from) {
        begin();
    }
    (block->granules ? on_fetched_block : on_block)(vcpu, data);
    last_end = block->end;
}

static void on_access(unsigned vcpu, uint32_t info, uint64_t address, void *data)
{
    (void)vcpu;
    (void)info;
    if (inside) {
        memory_accessed(data, (uint32_t)address);
    }
}

/* A block of one instruction. */
static void on_lone_access(unsigned vcpu, uint32_t info, uint64_t address, void *data)
{
    (void)vcpu;
    (void)info;
    (void)address;
    const block_t *own = data;
    if (inside && previous != own && own->start >= previous->start && own->start < previous->end && own->start != previous->last) {
        cut_short(own->start, own->end);
    }
}

static void on_instruction(unsigned vcpu, void *data)
{
    (void)vcpu;
    (void)data;
    oracle_instructions += inside;
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

static void translate(TB *tb)
{
    size_t count = qemu_plugin_tb_n_insns(tb);
    INSN *last = qemu_plugin_tb_get_insn(tb, count - 1);
    uint16_t halfword;
    uint32_t start = (uint32_t)qemu_plugin_tb_vaddr(tb), at = (uint32_t)qemu_plugin_insn_vaddr(last);
    block_t *block = block_for(start, at + width(last, &halfword), at, (uint32_t)count);
    if (!block->offsets) {
        block->offsets = must(calloc(count, sizeof *block->offsets));
        for (size_t i = 0; i < count; i++) {
            block->offsets[i] = (uint16_t)(qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, i)) - start);
        }
    }
    bool marker = !options.to || start == options.from || start == return_address;
    if (count == 1) {
        qemu_plugin_register_vcpu_mem_cb(last, on_lone_access, NO_REGISTERS, LOADS_AND_STORES, block);
    }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, marker ? on_marker : block->granules ? on_fetched_block : on_block, NO_REGISTERS, block);
    unsigned conditional = 0; /* instructions left of an IT block: those may be skipped */
    for (size_t i = 0; i < count; i++) {
        INSN *insn = qemu_plugin_tb_get_insn(tb, i);
        width(insn, &halfword);
        if (memory.replay || conditional) {
            access_t *access = access_for((uint32_t)qemu_plugin_insn_vaddr(insn));
            qemu_plugin_register_vcpu_mem_cb(insn, on_access, NO_REGISTERS, LOADS_AND_STORES, access);
        }
        conditional = halfword >> 8 == 0xbf && halfword & 0xf ? 4 - (unsigned)__builtin_ctz(halfword & 0xf) : conditional ? conditional - 1 : 0;
        if (options.oracle) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_instruction, NO_REGISTERS, NULL);
        }
    }
}

static void finish(void)
{
    if (inside) {
        inside = false;
        end_sample();
    }
    failed |= fclose(samples_file) != 0;
    write_blocks();
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

static bool parse_region(const char *text, uint32_t *origin, uint32_t *end)
{
    return sscanf(text, "%x:%x", origin, end) == 2;
}

static bool parse_memory(const char *name, const char *value)
{
    memory.replay = true;
    if (!strcmp(name, "icache")) {
        return cache_set_up(&memory.instruction, value);
    } else if (!strcmp(name, "dcache")) {
        return cache_set_up(&memory.data, value);
    } else if (!strcmp(name, "unified")) {
        return memory.unified = true;
    } else if (!strcmp(name, "flash")) {
        return parse_region(value, &memory.flash, &memory.flash_end);
    } else if (!strcmp(name, "region") && memory.regions < MAX_REGIONS) {
        memory.regions++;
        return parse_region(value, &memory.region[memory.regions - 1], &memory.region_end[memory.regions - 1]);
    }
    return false;
}

static bool parse(char *argument)
{
    char *value = strchr(argument, '=');
    if (!value) {
        return false;
    }
    *value++ = '\0';
    if (!strcmp(argument, "from")) {
        options.from = strtoull(value, NULL, 0);
    } else if (!strcmp(argument, "to")) {
        options.to = strtoull(value, NULL, 0);
        return_address = options.to ? (uint32_t)options.to : UINT32_MAX;
    } else if (!strcmp(argument, "calls")) {
        options.calls = strtoull(value, NULL, 0);
    } else if (!strcmp(argument, "nonce")) {
        options.nonce = value;
    } else if (!strcmp(argument, "read")) {
        allow_reading(value);
    } else if (!strcmp(argument, "oracle")) {
        options.oracle = !strcmp(value, "on");
    } else if (!strcmp(argument, "probe")) {
        options.probe = !strcmp(value, "on");
    } else {
        return parse_memory(argument, value);
    }
    return true;
}

EXPORT int qemu_plugin_install(uint64_t id, const info_t *info, int argc, char **argv)
{
    api = info->version.cur;
    bind_to_parent();
    uint64_t handled = open_ruleset();
    for (int i = 0; i < argc; i++) {
        if (!parse(argv[i])) {
            fprintf(stderr, "mcusim: unknown or wrong plugin option '%s'\n", argv[i]);
            return 1;
        }
    }
    if (options.probe) { /* QEMU could load us: that is all that is asked */
        printf("mcusim-plugin api %d\n", api);
        fflush(stdout);
        _exit(0);
    }
    samples_file = fopen("samples.bin", "wb");
    if (!samples_file || !options.nonce) {
        fprintf(stderr, "mcusim: samples.bin: %s\n", strerror(errno));
        return 1;
    }
    confine(handled);
    register_callbacks(id, api);
    return 0;
}
