/* What the plugins use of QEMU's interface, for QEMU 6.2 to 11.x without its headers: names and layouts of its ABI. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WEAK __attribute__((weak))
#define EXPORT __attribute__((visibility("default")))

typedef struct tb TB;
typedef struct insn INSN;
typedef struct scoreboard SCOREBOARD;
typedef struct {
    SCOREBOARD *score;
    size_t offset;
} per_vcpu_t;
typedef struct {
    const char *target_name;
    struct {
        int min, cur;
    } version;
    bool system_emulation;
    struct {
        int smp_vcpus, max_vcpus;
    } system;
} info_t;
typedef void (*any_callback)(void);
typedef void (*exec_callback)(unsigned vcpu, void *data);
typedef void (*mem_callback)(unsigned vcpu, uint32_t info, uint64_t address, void *data);

enum { NO_REGISTERS = 0, ADD = 0 };
enum { LOADS_AND_STORES = 3 }; /* before QEMU 9 one of them alone is wrongly filtered */
enum { API_SCOREBOARD = 2, API_USERDATA = 7 };

/* Before API 7 these took no `data`: a superfluous argument does no harm. */
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, any_callback callback, void *data);
void qemu_plugin_register_atexit_cb(uint64_t id, any_callback callback, void *data);
void qemu_plugin_register_vcpu_tb_exec_cb(TB *, exec_callback, int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(INSN *, exec_callback, int flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(INSN *, mem_callback, int flags, int which, void *data);
size_t qemu_plugin_tb_n_insns(const TB *);
uint64_t qemu_plugin_tb_vaddr(const TB *);
INSN *qemu_plugin_tb_get_insn(const TB *, size_t);
uint64_t qemu_plugin_insn_vaddr(const INSN *);
size_t qemu_plugin_insn_size(const INSN *);
void *qemu_plugin_insn_haddr(const INSN *);
unsigned qemu_plugin_mem_size_shift(uint32_t info);
/* API 0 and 1 */
WEAK void qemu_plugin_register_vcpu_tb_exec_inline(TB *, int operation, void *counter, uint64_t value);
/* API 2 and later */
WEAK SCOREBOARD *qemu_plugin_scoreboard_new(size_t);
WEAK void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(TB *, int operation, per_vcpu_t, uint64_t value);
WEAK uint64_t qemu_plugin_u64_get(per_vcpu_t, unsigned vcpu);

/* Read by QEMU after dlopen(), which has by then run the constructor. */
EXPORT int qemu_plugin_version = 1;

__attribute__((constructor)) static void choose_version(void)
{
    if (qemu_plugin_scoreboard_new) {
        qemu_plugin_version = API_SCOREBOARD;
    }
    const char *wanted = getenv("MCUSIM_PLUGIN_API");
    if (wanted) {
        qemu_plugin_version = atoi(wanted);
    }
}

/* ---- What a plugin does, called in either way --------------------------------------------------------------- */

static void translate(TB *tb);
static void finish(void);

static void translate_with_id(uint64_t id, TB *tb)
{
    (void)id;
    translate(tb);
}

static void translate_with_data(TB *tb, void *data)
{
    (void)data;
    translate(tb);
}

static void finish_with_id(uint64_t id, void *data)
{
    (void)id;
    (void)data;
    finish();
}

static void finish_with_data(void *data)
{
    (void)data;
    finish();
}

static void register_callbacks(uint64_t id, int api)
{
    bool with_data = api >= API_USERDATA;
    qemu_plugin_register_vcpu_tb_trans_cb(id, with_data ? (any_callback)translate_with_data : (any_callback)translate_with_id, NULL);
    qemu_plugin_register_atexit_cb(id, with_data ? (any_callback)finish_with_data : (any_callback)finish_with_id, NULL);
}
