/* Takes the user's files away from the process that this plugin is loaded into. Include after abi.h. */
/* Semihosting lets a firmware open any file of the user. Landlock (Linux 5.13) takes that away from this process: it may
 * read what it was told and write into its own folder only. Numbers and layouts are those of the kernel's ABI. */
enum { SYSCALL_CREATE_RULESET = 444, SYSCALL_ADD_RULE = 445, SYSCALL_RESTRICT_SELF = 446 };
enum { RULE_PATH_BENEATH = 1, ASK_VERSION = 1 };
enum {
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_MAKE_REG = 1 << 8,
    FS_ALL_SINCE_1 = (1 << 13) - 1,
    FS_REFER_SINCE_2 = 1 << 13,
    FS_TRUNCATE_SINCE_3 = 1 << 14
};

static bool confined;
static int landlock;

static uint64_t open_ruleset(void)
{
    long version = syscall(SYSCALL_CREATE_RULESET, NULL, 0, ASK_VERSION);
    uint64_t handled = FS_ALL_SINCE_1 | (version >= 2 ? FS_REFER_SINCE_2 : 0) | (version >= 3 ? FS_TRUNCATE_SINCE_3 : 0);
    landlock = version < 1 ? -1 : (int)syscall(SYSCALL_CREATE_RULESET, &handled, sizeof handled, 0);
    return handled;
}

/* A path that is not there needs no permission. */
static void allow(const char *path, uint64_t access)
{
    struct __attribute__((packed)) {
        uint64_t allowed;
        int32_t folder;
    } rule = {.allowed = access, .folder = open(path, O_PATH | O_CLOEXEC)};
    if (rule.folder < 0 || landlock < 0) {
        return;
    }
    if (syscall(SYSCALL_ADD_RULE, landlock, RULE_PATH_BENEATH, &rule, 0) != 0) { /* refuses folder rights on a file */
        rule.allowed &= ~(uint64_t)FS_READ_DIR;
        syscall(SYSCALL_ADD_RULE, landlock, RULE_PATH_BENEATH, &rule, 0);
    }
    close(rule.folder);
}

static void allow_reading(const char *path)
{
    allow(path, FS_READ_FILE | FS_READ_DIR);
}

static void confine(uint64_t handled)
{
    allow_reading("/usr");
    allow_reading("/lib");
    allow(".", handled & (FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE | FS_MAKE_REG | FS_TRUNCATE_SINCE_3));
    confined = landlock >= 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYSCALL_RESTRICT_SELF, landlock, 0) == 0;
}

/* The engine that started us holds the other end of our standard input. That ends with it, whoever stands between us (a
 * script that starts QEMU), and however early: a look at it once would miss an end that another process, just being
 * started by that engine, holds for an instant longer. */
static void *end_with_parent(void *unused)
{
    struct pollfd standard_input = {.fd = STDIN_FILENO};
    do {
        standard_input.revents = 0;
    } while (poll(&standard_input, 1, -1) < 0 && errno == EINTR);
    if (standard_input.revents & POLLHUP) {
        fprintf(stderr, "mcusim: the process that started this is gone\n");
        _exit(1);
    }
    return unused;
}

/* Never an orphan, never a core file: the engine that started us reports what happened. */
static void bind_to_parent(void)
{
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t all, before;
    pthread_t watch;
    sigfillset(&all); /* signals are for QEMU's own threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&watch, NULL, end_with_parent, NULL) == 0) {
        pthread_detach(watch);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
