/* What QEMU is told of the profiler: see the head of profile.c. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static struct {
    uint64_t from, to, calls, stack;
    const char *nonce;
    bool oracle, probe, watch;
} options;

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
    } else if (!strcmp(argument, "stack")) {
        options.stack = strtoull(value, NULL, 0);
    } else if (!strcmp(argument, "calls")) {
        options.calls = strtoull(value, NULL, 0);
    } else if (!strcmp(argument, "longest")) {
        const struct rlimit longest = {strtoull(value, NULL, 0), strtoull(value, NULL, 0)};
        setrlimit(RLIMIT_FSIZE, &longest);
    } else if (!strcmp(argument, "nonce")) {
        options.nonce = value;
    } else if (!strcmp(argument, "read")) {
        allow_reading(value);
    } else if (!strcmp(argument, "oracle")) {
        options.oracle = !strcmp(value, "on");
    } else if (!strcmp(argument, "watch")) {
        options.watch = !strcmp(value, "on");
    } else if (!strcmp(argument, "probe")) {
        options.probe = !strcmp(value, "on");
    } else {
        return parse_memory(argument, value);
    }
    return true;
}
