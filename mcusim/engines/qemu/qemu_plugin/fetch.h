/* Code through the cache: most of it is there, so that only the order in which lines leave it changes. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* Blocks whose lines were used since the order in which lines leave was last settled: most run again before anything has to leave. */
static block_t **unsettled;
static uint32_t unsettled_count, unsettled_room;
static uint64_t uses, settlements = 1;

static int by_use(const void *one, const void *other)
{
    uint64_t a = (*(block_t *const *)one)->used, b = (*(block_t *const *)other)->used;
    return a < b ? -1 : a > b;
}

__attribute__((noinline)) static void settle_uses(void)
{
    cache_t *cache = &memory.instruction;
    qsort(unsettled, unsettled_count, sizeof *unsettled, by_use);
    for (uint32_t i = 0; i < unsettled_count; i++) {
        uint32_t last = cache_line_of(cache, unsettled[i]->end - 1);
        for (uint32_t line = cache_line_of(cache, unsettled[i]->start); line <= last; line++) {
            cache_used(cache, line);
        }
    }
    unsettled_count = 0;
    settlements++;
}

/* Before anything is brought into the cache. */
static inline void settle(void)
{
    if (unsettled_count) {
        settle_uses();
    }
}

__attribute__((noinline)) static void leave_unsettled(block_t *block)
{
    if (unsettled_count == unsettled_room) {
        unsettled_room = unsettled_room ? unsettled_room * 2 : 1024;
        unsettled = must(realloc(unsettled, unsettled_room * sizeof *unsettled));
    }
    unsettled[unsettled_count++] = block;
    block->used_in = settlements;
}

/* Granules (bits) of the line at `line` that a block has from `address` on. */
static inline uint32_t granules_from(const cache_t *cache, uint32_t address, uint32_t end)
{
    uint32_t first = cache_granule_in_line(cache, address), bits = UINT32_MAX << first;
    if ((address ^ (end - 1)) >> cache->line_bits == 0) {
        bits &= UINT32_MAX >> (31 - cache_granule_in_line(cache, end - 1));
    }
    return bits & (UINT32_MAX >> (32 - cache->line / cache->granule));
}

static inline uint32_t next_line(const cache_t *cache, uint32_t address)
{
    return (address | (cache->line - 1)) + 1;
}

static bool is_cached(const block_t *block)
{
    const cache_t *cache = &memory.instruction;
    for (uint32_t address = block->start; address < block->end; address = next_line(cache, address)) {
        if (granules_from(cache, address, block->end) & ~cache->lines[cache_line_of(cache, address)].valid) {
            return false;
        }
    }
    return true;
}

/* Reads a block through the cache. `jumped`: not from the block before it in memory. */
__attribute__((noinline)) static void fetch_slowly(block_t *block, bool jumped)
{
    cache_t *cache = &memory.instruction;
    uint32_t address = block->start, granule = address >> cache->granule_bits, first = granule;
    settle();
    found_t found = cache_read(cache, address);
    if (found == MISSED) {
        *(jumped ? &block->jump_misses : &block->next_misses[0]) += 1;
    }
    address = (granule + 1) << cache->granule_bits;
    for (; address < block->end; address = next_line(cache, address)) {
        uint32_t missing = cache_look(cache, cache_line_of(cache, address), granules_from(cache, address, block->end));
        uint32_t line_begins = (address & ~(cache->line - 1)) >> cache->granule_bits; /* before the block, or in it */
        for (; missing; missing &= missing - 1) {
            block->next_misses[line_begins + (uint32_t)__builtin_ctz(missing) - first]++;
        }
    }
    cache->buffered = (block->end - 1) >> cache->granule_bits;
    block->fills = is_cached(block) ? cache->fills : 0;
}

/* Most blocks are in the cache: only the order in which their lines leave changes then. */
static inline void fetch(block_t *block, const block_t *before)
{
    cache_t *cache = &memory.instruction;
    if (block->fills != cache->fills) {
        if (!is_cached(block)) {
            fetch_slowly(block, before->end != block->start);
            return;
        }
        block->fills = cache->fills;
    }
    if (cache->refresh) {
        block->used = ++uses;
        if (__builtin_expect(block->used_in != settlements, 0)) {
            leave_unsettled(block);
        }
    }
    cache->buffered = (block->end - 1) >> cache->granule_bits;
}
