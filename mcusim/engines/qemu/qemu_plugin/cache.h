/* One cache in front of slow memory, with the buffer that holds what was read last. It says where a read is found, not what that costs. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum { BUFFERED, CACHED, MISSED } found_t;

/* `granule`: bytes that a miss brings in, of a line of `line` bytes. The last granule stays in a buffer before the cache. */
typedef struct {
    uint32_t sets, ways, line, granule; /* powers of two, but for ways */
    unsigned line_bits, granule_bits;
    uint64_t fills;
    bool refresh; /* least recently used; else least recently filled */
    uint32_t *tags;
    uint32_t *valid; /* a bit for each granule of the line */
    uint64_t *stamps;
    uint64_t now;
    uint32_t buffered, recent;
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
    size_t lines = (size_t)cache->sets * cache->ways;
    cache->tags = calloc(lines, sizeof *cache->tags);
    cache->valid = calloc(lines, sizeof *cache->valid);
    cache->stamps = calloc(lines, sizeof *cache->stamps);
    cache->buffered = UINT32_MAX;
    return cache->tags && cache->valid && cache->stamps;
}

/* Every sample begins like that, so that what it costs does not depend on the one before it, nor on the number of processes. */
static void cache_empty(cache_t *cache)
{
    size_t lines = (size_t)cache->sets * cache->ways;
    memset(cache->valid, 0, lines * sizeof *cache->valid);
    memset(cache->stamps, 0, lines * sizeof *cache->stamps);
    cache->fills++;
    cache->buffered = UINT32_MAX;
}

static bool cache_look(cache_t *cache, uint32_t address)
{
    uint32_t line = address >> cache->line_bits, bit = 1u << ((address & (cache->line - 1)) >> cache->granule_bits);
    uint32_t first = (line & (cache->sets - 1)) * cache->ways, oldest = first;
    uint32_t way = cache->recent; /* mostly the same line again */
    if (!(way >= first && way < first + cache->ways && cache->tags[way] == line && cache->valid[way])) {
        for (way = first; way < first + cache->ways; way++) {
            if (cache->tags[way] == line && cache->valid[way]) {
                break;
            }
            if (cache->stamps[way] < cache->stamps[oldest]) {
                oldest = way;
            }
        }
    }
    cache->now++;
    bool present = way < first + cache->ways;
    if (!present) {
        way = oldest;
        cache->tags[way] = line;
        cache->valid[way] = 0;
        cache->stamps[way] = cache->now;
    }
    bool hit = cache->valid[way] & bit;
    cache->fills += !hit;
    cache->valid[way] |= bit;
    cache->recent = way;
    if (cache->refresh) {
        cache->stamps[way] = cache->now;
    }
    return hit;
}

/* Where a line is; UINT32_MAX when only the buffer has it. */
static uint32_t cache_way(const cache_t *cache, uint32_t line)
{
    uint32_t first = (line & (cache->sets - 1)) * cache->ways;
    for (uint32_t way = first; way < first + cache->ways; way++) {
        if (cache->tags[way] == line && cache->valid[way]) {
            return way;
        }
    }
    return UINT32_MAX;
}

static inline found_t cache_read(cache_t *cache, uint32_t address)
{
    uint32_t granule = address >> cache->granule_bits;
    if (granule == cache->buffered) {
        return BUFFERED;
    }
    cache->buffered = granule;
    return cache_look(cache, address) ? CACHED : MISSED;
}
