/* What the profiler alone is told: see the head of profile.c. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static struct {
    uint64_t calls, stack;
    bool watch;
} profiled;

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

static bool parse_own(const char *name, const char *value)
{
    if (!strcmp(name, "stack")) {
        profiled.stack = strtoull(value, NULL, 0);
    } else if (!strcmp(name, "calls")) {
        profiled.calls = strtoull(value, NULL, 0);
    } else if (!strcmp(name, "longest")) {
        const struct rlimit longest = {strtoull(value, NULL, 0), strtoull(value, NULL, 0)};
        setrlimit(RLIMIT_FSIZE, &longest);
    } else if (!strcmp(name, "watch")) {
        profiled.watch = !strcmp(value, "on");
    } else {
        return parse_memory(name, value);
    }
    return true;
}
