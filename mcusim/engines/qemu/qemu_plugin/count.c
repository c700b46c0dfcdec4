/* TCG plugin of the qemu engine: counts the instructions of each call of cnn(), and confines QEMU.
 *
 * One shared object for QEMU 6.2 to 11.x: functions that some versions lack are weak, and the two ways that
 * callbacks were called in are both here. Needs neither QEMU's nor GLib's headers; declarations below are the ABI.
 *
 * Counting: every translated block adds its number of instructions to one counter with a single inline addition.
 * Only the block at which cnn() begins and the one at which it has returned have a callback instead, which takes
 * the counter first and then adds its own block. Their difference is every instruction of the call and no other.
 * (A synchronous fault leaves a block in its middle, and so does access to a device on QEMU >= 8.2; neither happens
 * inside a model: the first ends the run, the second it does not do.)
 *
 * Options: from=ADDRESS to=ADDRESS nonce=TEXT read=PATH.. oracle=on probe=on
 * Files, in the working folder: counts.bin, a uint64 for each call; plugin.txt, written last, "nonce total calls confined".
 */
#define _GNU_SOURCE /* O_PATH */

#include "abi.h"
#include "confine.h"
#include "start.h"

/* ---- Counting ---------------------------------------------------------------------------------------------- */

static int api;
static uint64_t counter;      /* API < 2 */
static per_vcpu_t counters;   /* API >= 2 */
static uint64_t counted_here; /* what callbacks add themselves */

static FILE *counts_file;
static uint64_t calls, at_entry;
static bool inside, failed;

static uint64_t executed(unsigned vcpu)
{
    return counted_here + (api >= API_SCOREBOARD ? qemu_plugin_u64_get(counters, vcpu) : counter);
}

static void enter(unsigned vcpu)
{
    if (!inside) { /* else the first instruction of cnn() is also the target of a loop */
        at_entry = executed(vcpu);
        inside = true;
    }
}

static void leave(unsigned vcpu)
{
    if (inside) {
        uint64_t count = executed(vcpu) - at_entry;
        failed |= fwrite(&count, sizeof count, 1, counts_file) != 1;
        inside = false;
        calls++;
    }
}

static void on_cnn(unsigned vcpu, void *instructions)
{
    enter(vcpu);
    counted_here += (uintptr_t)instructions;
}

static void on_return(unsigned vcpu, void *instructions)
{
    leave(vcpu);
    counted_here += (uintptr_t)instructions;
}

static void on_instruction(unsigned vcpu, void *data)
{
    (void)vcpu;
    (void)data;
    counted_here++;
}

static exec_callback marker(uint64_t address)
{
    return address == options.from ? on_cnn : address == options.to ? on_return : NULL;
}

/* The slow way that the fast one is tested against: a callback for each instruction. */
static void translate_for_oracle(const TB *tb)
{
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        INSN *insn = qemu_plugin_tb_get_insn(tb, i);
        exec_callback callback = marker(qemu_plugin_insn_vaddr(insn));
        qemu_plugin_register_vcpu_insn_exec_cb(insn, callback ? callback : on_instruction, NO_REGISTERS, (void *)1);
    }
}

static void translate(TB *tb)
{
    size_t instructions = qemu_plugin_tb_n_insns(tb);
    exec_callback callback = marker(qemu_plugin_tb_vaddr(tb));
    if (options.oracle) {
        translate_for_oracle(tb);
    } else if (callback) {
        qemu_plugin_register_vcpu_tb_exec_cb(tb, callback, NO_REGISTERS, (void *)instructions);
    } else if (api >= API_SCOREBOARD) {
        qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb, ADD, counters, instructions);
    } else {
        qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD, &counter, instructions);
    }
}

/* plugin.txt is only written when counts.bin is whole: its absence says that something is missing. */
static void finish(void)
{
    failed |= fclose(counts_file) != 0;
    if (failed) {
        fprintf(stderr, "mcusim: counts.bin could not be written: %s\n", strerror(errno));
        return;
    }
    FILE *summary = fopen("plugin.txt", "w");
    if (summary) {
        fprintf(summary, "%s %llu %llu %d\n", options.nonce, (unsigned long long)executed(0), (unsigned long long)calls, confined);
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
        if (!parse(argv[i], NULL)) {
            fprintf(stderr, "mcusim: unknown plugin option '%s'\n", argv[i]);
            return 1;
        }
    }
    if (options.probe) {
        answer_probe(api);
    }
    counts_file = fopen("counts.bin", "wb");
    if (!counts_file || !options.nonce) {
        fprintf(stderr, "mcusim: counts.bin: %s\n", strerror(errno));
        return 1;
    }
    if (api >= API_SCOREBOARD) {
        counters.score = qemu_plugin_scoreboard_new(sizeof(uint64_t));
    }
    confine(handled);
    register_callbacks(id, api);
    return 0;
}
