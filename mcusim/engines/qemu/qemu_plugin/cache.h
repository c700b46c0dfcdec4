/* One cache in front of slow memory, with the buffer that holds what was read last. It says where a read is found, not what that costs. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum { BUFFERED, CACHED, MISSED } found_t;

/* A line of the memory behind the cache: a bit for each granule of it that is there, 0 when it is not in the cache; and the lines
 * of its set that come before and after it in the order in which they leave. Lines count from 1, 0 is none. */
typedef struct {
    uint32_t valid, before, after;
} line_t;

/* `granule`: bytes that a miss brings in, of a line of `line` bytes. The last granule stays in a buffer before the cache. */
typedef struct {
    uint32_t sets, ways, line, granule; /* powers of two, but for ways */
    unsigned line_bits, granule_bits;
    bool refresh; /* the least recently used line leaves; else the least recently filled one */
    uint64_t fills; /* nothing was brought in while this stays the same */
    uint32_t first_line;
    line_t *lines;
    struct {
        uint32_t held, oldest, newest;
    } *set;
    uint32_t buffered;
} cache_t;

static bool cache_set_up(cache_t *cache, const char *text)
{
    unsigned refresh = 0;
    if (sscanf(text, "%u:%u:%u:%u:%u", &cache->sets, &cache->ways, &cache->line, &cache->granule, &refresh) != 5 || !cache->granule ||
        cache->line % cache->granule || cache->line / cache->granule > 32 || !cache->sets || !cache->ways ||
        (cache->line & (cache->line - 1)) || (cache->granule & (cache->granule - 1)) || (cache->sets & (cache->sets - 1))) {
        return false;
    }
    cache->refresh = refresh;
    cache->fills = 1; /* a new block has 0: not in the cache */
    cache->line_bits = (unsigned)__builtin_ctz(cache->line);
    cache->granule_bits = (unsigned)__builtin_ctz(cache->granule);
    cache->buffered = UINT32_MAX;
    return true;
}

/* Nothing but this memory is read through it. */
static bool cache_stands_before(cache_t *cache, uint32_t origin, uint32_t end)
{
    cache->first_line = origin >> cache->line_bits;
    cache->lines = calloc((size_t)((end - 1) >> cache->line_bits) - cache->first_line + 2, sizeof *cache->lines);
    cache->set = calloc(cache->sets, sizeof *cache->set);
    return end > origin && cache->lines && cache->set;
}

/* Every sample begins like that, so that what it costs does not depend on the one before it, nor on the number of processes. */
static void cache_empty(cache_t *cache)
{
    for (uint32_t set = 0; set < cache->sets; set++) {
        for (uint32_t line = cache->set[set].oldest; line; line = cache->lines[line].after) {
            cache->lines[line].valid = 0;
        }
    }
    memset(cache->set, 0, cache->sets * sizeof *cache->set);
    cache->fills++;
    cache->buffered = UINT32_MAX;
}

static inline uint32_t cache_set_of(const cache_t *cache, uint32_t line)
{
    return (cache->first_line + line - 1) & (cache->sets - 1);
}

static inline void cache_take_out(cache_t *cache, uint32_t line, uint32_t set)
{
    line_t *lines = cache->lines;
    uint32_t before = lines[line].before, after = lines[line].after;
    *(before ? &lines[before].after : &cache->set[set].oldest) = after;
    *(after ? &lines[after].before : &cache->set[set].newest) = before;
}

static inline void cache_put_last(cache_t *cache, uint32_t line, uint32_t set)
{
    uint32_t newest = cache->set[set].newest;
    cache->lines[line].before = newest;
    cache->lines[line].after = 0;
    *(newest ? &cache->lines[newest].after : &cache->set[set].oldest) = line;
    cache->set[set].newest = line;
}

/* `line`, which is there, was used. */
static inline void cache_used(cache_t *cache, uint32_t line)
{
    uint32_t set = cache_set_of(cache, line);
    if (cache->set[set].newest != line) {
        cache_take_out(cache, line, set);
        cache_put_last(cache, line, set);
    }
}

static void cache_admit(cache_t *cache, uint32_t line)
{
    uint32_t set = cache_set_of(cache, line);
    if (cache->set[set].held == cache->ways) {
        uint32_t oldest = cache->set[set].oldest;
        cache->lines[oldest].valid = 0;
        cache_take_out(cache, oldest, set);
    } else {
        cache->set[set].held++;
    }
    cache_put_last(cache, line, set);
}

/* Reads `granules` (bits) of a line, and brings in those that were not there, which it gives back. */
static inline uint32_t cache_look(cache_t *cache, uint32_t line, uint32_t granules)
{
    uint32_t there = cache->lines[line].valid, missing = granules & ~there;
    if (!there) {
        cache_admit(cache, line);
    } else if (cache->refresh) {
        cache_used(cache, line);
    }
    if (missing) {
        cache->lines[line].valid = there | granules;
        cache->fills++;
    }
    return missing;
}

static inline uint32_t cache_line_of(const cache_t *cache, uint32_t address)
{
    return (address >> cache->line_bits) - cache->first_line + 1;
}

static inline uint32_t cache_granule_in_line(const cache_t *cache, uint32_t address)
{
    return (address & (cache->line - 1)) >> cache->granule_bits;
}

static inline found_t cache_read_past_buffer(cache_t *cache, uint32_t address)
{
    return cache_look(cache, cache_line_of(cache, address), 1u << cache_granule_in_line(cache, address)) ? MISSED : CACHED;
}

static inline found_t cache_read(cache_t *cache, uint32_t address)
{
    uint32_t granule = address >> cache->granule_bits;
    if (granule == cache->buffered) {
        return BUFFERED;
    }
    cache->buffered = granule;
    return cache_read_past_buffer(cache, address);
}

/* The line that leaves when what is at `address` is read; 0: none. */
static inline uint32_t cache_leaves(const cache_t *cache, uint32_t address)
{
    uint32_t line = cache_line_of(cache, address), set = cache_set_of(cache, line);
    return cache->lines[line].valid || cache->set[set].held < cache->ways ? 0 : cache->set[set].oldest;
}
