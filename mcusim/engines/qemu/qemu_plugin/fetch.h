/* Code through the cache: most of it is there, so that only the order in which lines leave it changes.
 *
 * A block goes through a cache of its own when it begins. In one that data shares it comes as it is executed, up to each access: what
 * makes what leave then does not depend on where an emulator cut the code into blocks.
 */
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

/* ---- Shared with data ---- */

/* The block that runs; what of it, from `next` on, no access was behind yet. */
static struct {
    block_t *block;
    uint32_t next;
    bool jumped;
} coming;

/* Up to the granule in which the instruction at `address` begins. */
__attribute__((noinline)) static void fetch_to(uint32_t address)
{
    block_t *block = coming.block;
    cache_t *cache = &memory.instruction;
    uint32_t first = block->start >> cache->granule_bits;
    while (coming.next < block->end && coming.next <= address) {
        uint32_t granule = coming.next >> cache->granule_bits;
        if (cache_read(cache, coming.next) == MISSED) {
            *(granule == first && coming.jumped ? &block->jump_misses : &block->next_misses[granule - first]) += 1;
        }
        coming.next = (granule + 1) << cache->granule_bits;
    }
}

/* Its lines are there whatever was read, and the order in which they leave does not change. */
static inline bool comes_from_cache(void)
{
    return coming.block->fills == memory.instruction.fills && !memory.instruction.refresh;
}

static inline void fetch_rest(void)
{
    if (!coming.block) {
        return;
    }
    if (comes_from_cache()) {
        memory.instruction.buffered = (coming.block->end - 1) >> memory.instruction.granule_bits;
    } else {
        fetch_to(UINT32_MAX);
    }
    coming.block = NULL;
}

static inline void fetch_shared(block_t *block, const block_t *before)
{
    fetch_rest();
    if (block->granules) {
        coming.block = block;
        coming.next = block->start;
        coming.jumped = before->end != block->start;
        if (block->fills != memory.instruction.fills) {
            block->fills = is_cached(block) ? memory.instruction.fills : 0;
        }
    }
}

/* By the instruction at `by`. */
static inline found_t read_shared(uint32_t by, uint32_t address)
{
    cache_t *cache = &memory.instruction;
    uint32_t granule = address >> cache->granule_bits;
    if (granule == memory.data_buffered) {
        return BUFFERED;
    }
    memory.data_buffered = granule;
    block_t *block = coming.block;
    if (!block) {
        return cache_read_past_buffer(cache, address);
    }
    if (comes_from_cache()) {
        uint32_t leaves = cache_leaves(cache, address);
        if (leaves < cache_line_of(cache, block->start) || leaves > cache_line_of(cache, block->end - 1)) {
            found_t found = cache_read_past_buffer(cache, address);
            block->fills = cache->fills; /* it is still there */
            return found;
        }
    }
    fetch_to(by);
    return cache_read_past_buffer(cache, address);
}

/* ---- Any cache ---- */

/* Most blocks are in the cache: only the order in which their lines leave changes then. */
static inline void fetch(block_t *block, const block_t *before)
{
    cache_t *cache = &memory.instruction;
    if (memory.unified) {
        fetch_shared(block, before);
        return;
    }
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
