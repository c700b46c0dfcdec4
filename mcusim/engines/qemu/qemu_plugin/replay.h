/* What a profile counts, apart from QEMU: blocks, edges between them, and what caches would have done.
 *
 * A block is a run of instructions that was executed from its first to its last; edges count how often one followed another, so
 * that edges into a block are its executions. Caches only say hit or miss here: what a miss costs depends on clock
 * and wait states, and is priced later, so one profile serves every clock.
 *
 * samples.bin: for each sample { edges, events } (two uint64), edges of { from, to, count }, events of { kind, block, address, count }
 * blocks.bin: { first address, end, address of the last instruction, instructions } for each block; block 0 is all outside the markers
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"

enum { EVENT_ACCESS, EVENT_DATA_MISS, EVENT_FETCH_MISS_NEXT, EVENT_FETCH_MISS_JUMP, EVENT_REGION, EVENT_ODD, EVENT_HALF, EVENT_FLASH, EVENT_DATA_HIT };
enum { MAX_REGIONS = 8, MAX_LINES = 16 };

/* ---- Blocks and edges -------------------------------------------------------------------------------------- */

typedef struct block block_t;
typedef struct edge {
    block_t *to;
    uint64_t count;
    struct edge *next;
} edge_t;

/* One for each instruction that may access memory. */
typedef struct {
    uint32_t address;
    uint64_t accesses, in_flash, data_hits, data_misses, in_region[MAX_REGIONS];
    uint64_t odd, half; /* at addresses 1 or 3, and 2, after a multiple of 4 */
} access_t;

struct block {
    edge_t *hot, *edges; /* the hot one is the edge taken last */
    uint32_t start, end, last, instructions, index;
    uint16_t *offsets; /* of each instruction from `start` */
    uint64_t jump_misses, *next_misses;
    uint32_t granules;
    uint64_t fills; /* of the instruction cache when this was last fetched: it is still there when that is unchanged */
    uint32_t ways[MAX_LINES];
    block_t *next_in_bucket;
};

static struct {
    cache_t instruction, data;
    bool replay, unified;
    uint32_t flash, flash_end;
    uint32_t regions, region[MAX_REGIONS], region_end[MAX_REGIONS];
} memory;

enum { BUCKETS = 1 << 14, MAX_BLOCKS = 1 << 20 };
static block_t *buckets[BUCKETS], *blocks[MAX_BLOCKS], outside_block = {.start = UINT32_MAX, .end = UINT32_MAX, .last = UINT32_MAX};
static uint32_t block_count;
static access_t **access_table;
static size_t access_count, access_room;
static block_t *previous = &outside_block, *before_previous = &outside_block;
static bool inside, failed;
static uint64_t samples;
static FILE *samples_file;

static void *must(void *pointer)
{
    if (!pointer) {
        fprintf(stderr, "mcusim: no memory for the profile\n");
        exit(1);
    }
    return pointer;
}

/* The same for the same addresses, however often they are translated. */
static block_t *block_for(uint32_t start, uint32_t end, uint32_t last, uint32_t instructions)
{
    block_t **bucket = &buckets[(start >> 1 ^ end << 5) % BUCKETS];
    for (block_t *block = *bucket; block; block = block->next_in_bucket) {
        if (block->start == start && block->end == end) {
            return block;
        }
    }
    if (block_count == 0) {
        blocks[block_count++] = &outside_block;
    }
    if (block_count == MAX_BLOCKS) {
        fprintf(stderr, "mcusim: more than %d blocks of code\n", MAX_BLOCKS);
        exit(1);
    }
    block_t *block = must(calloc(1, sizeof *block));
    *block = (block_t){.start = start, .end = end, .last = last, .instructions = instructions, .index = block_count, .next_in_bucket = *bucket};
    if (memory.replay && start >= memory.flash && start < memory.flash_end) {
        uint32_t granule = memory.instruction.granule;
        block->granules = (end - 1) / granule - start / granule + 1;
        block->next_misses = must(calloc(block->granules, sizeof(uint64_t)));
    }
    *bucket = blocks[block_count++] = block;
    return block;
}

static access_t *access_for(uint32_t address)
{
    if (access_count * 2 >= access_room) {
        size_t room = access_room ? access_room * 2 : 4096;
        access_t **table = must(calloc(room, sizeof *table));
        for (size_t i = 0; i < access_room; i++) {
            if (access_table[i]) {
                size_t at = access_table[i]->address / 2 % room;
                while (table[at]) {
                    at = (at + 1) % room;
                }
                table[at] = access_table[i];
            }
        }
        free(access_table);
        access_table = table;
        access_room = room;
    }
    size_t at = address / 2 % access_room;
    while (access_table[at] && access_table[at]->address != address) {
        at = (at + 1) % access_room;
    }
    if (!access_table[at]) {
        access_table[at] = must(calloc(1, sizeof(access_t)));
        access_table[at]->address = address;
        access_count++;
    }
    return access_table[at];
}

static void begin_sample(void)
{
    inside = true;
    previous = before_previous = &outside_block;
    if (memory.replay) {
        cache_empty(&memory.instruction);
        if (!memory.unified) {
            cache_empty(&memory.data);
        }
    }
}

__attribute__((noinline)) static edge_t *find_edge(block_t *from, block_t *to)
{
    edge_t *edge = from->edges;
    while (edge && edge->to != to) {
        edge = edge->next;
    }
    if (!edge) {
        edge = must(calloc(1, sizeof *edge));
        edge->to = to;
        edge->next = from->edges;
        from->edges = edge;
    }
    from->hot = edge;
    return edge;
}

/* Reads a block through the cache. `jumped`: not from the block before it in memory. */
__attribute__((noinline)) static void fetch_slowly(block_t *block, bool jumped)
{
    cache_t *cache = &memory.instruction;
    uint32_t address = block->start, lines = 0, line = UINT32_MAX;
    bool known = true;
    for (uint32_t i = 0; i < block->granules; i++) {
        if (cache_read(cache, address) == MISSED) {
            if (i == 0 && jumped) {
                block->jump_misses++;
            } else {
                block->next_misses[i]++;
            }
        }
        if (address >> cache->line_bits != line) {
            line = address >> cache->line_bits;
            uint32_t way = cache_way(cache, line);
            known &= lines < MAX_LINES && lines < cache->sets * cache->ways && way != UINT32_MAX;
            if (known) {
                block->ways[lines] = way;
            }
            lines++;
        }
        address = (address | (cache->granule - 1)) + 1;
    }
    block->fills = known ? cache->fills : 0;
}

/* Most blocks are in the cache, since nothing was brought in after they last ran: only their lines' age changes then. */
static inline void fetch(block_t *block, const block_t *before)
{
    cache_t *cache = &memory.instruction;
    if (block->fills != cache->fills) {
        fetch_slowly(block, before->end != block->start);
        return;
    }
    if (block != before && cache->refresh) {
        uint32_t lines = ((block->end - 1) >> cache->line_bits) - (block->start >> cache->line_bits) + 1;
        for (uint32_t i = 0; i < lines; i++) {
            cache->stamps[block->ways[i]] = ++cache->now;
        }
    }
    cache->buffered = (block->end - 1) >> cache->granule_bits;
}

static inline void block_executed(block_t *block)
{
    block_t *before = previous;
    edge_t *edge = before->hot;
    if (__builtin_expect(!edge || edge->to != block, 0)) {
        edge = find_edge(before, block);
    }
    edge->count++;
    before_previous = before;
    previous = block;
}

static inline void memory_accessed(access_t *access, uint32_t address)
{
    access->accesses++;
    if (!memory.replay) {
        return;
    }
    if (__builtin_expect(address & 3, 0)) {
        access->odd += address & 1;
        access->half += (address & 3) == 2;
    }
    if (address - memory.flash < memory.flash_end - memory.flash) {
        access->in_flash++;
        found_t found = cache_read(memory.unified ? &memory.instruction : &memory.data, address);
        access->data_hits += found == CACHED;
        access->data_misses += found == MISSED;
        return;
    }
    for (uint32_t i = 0; i < memory.regions; i++) {
        if (address - memory.region[i] < memory.region_end[i] - memory.region[i]) {
            access->in_region[i]++;
            return;
        }
    }
}

/* QEMU left `previous` after the instruction at `address`, which it goes on to run alone (QEMU >= 8.2, access to a device). */
static void cut_short(uint32_t address, uint32_t end)
{
    uint32_t instructions = 0;
    while (instructions < previous->instructions && previous->start + previous->offsets[instructions] <= address) {
        instructions++;
    }
    find_edge(before_previous, previous)->count--;
    edge_t *edge = find_edge(before_previous, block_for(previous->start, end, address, instructions));
    edge->count++;
    edge->to->offsets = previous->offsets;
    previous = edge->to;
}

static void put(const void *data, size_t size)
{
    failed |= fwrite(data, size, 1, samples_file) != 1;
}

static uint64_t put_event(uint32_t kind, uint32_t block, uint32_t address, uint64_t *count)
{
    if (!*count) {
        return 0;
    }
    put((uint64_t[]){kind, block, address, *count}, 4 * sizeof(uint64_t));
    *count = 0;
    return 1;
}

/* Everything counted since the last call becomes one sample. */
static void end_sample(void)
{
    uint64_t head[2] = {0, 0};
    long at = ftell(samples_file);
    put(head, sizeof head);
    for (uint32_t i = 0; i < block_count; i++) {
        for (edge_t *edge = blocks[i]->edges; edge; edge = edge->next) {
            if (edge->count) {
                put((uint64_t[]){i, edge->to->index, edge->count}, 3 * sizeof(uint64_t));
                edge->count = 0;
                head[0]++;
            }
        }
    }
    for (uint32_t i = 0; i < block_count; i++) {
        block_t *block = blocks[i];
        head[1] += put_event(EVENT_FETCH_MISS_JUMP, i, block->start, &block->jump_misses);
        for (uint32_t g = 0; g < block->granules; g++) {
            head[1] += put_event(EVENT_FETCH_MISS_NEXT, i, g, &block->next_misses[g]);
        }
    }
    for (size_t i = 0; i < access_room; i++) {
        access_t *access = access_table[i];
        if (access) {
            head[1] += put_event(EVENT_ACCESS, 0, access->address, &access->accesses);
            head[1] += put_event(EVENT_FLASH, 0, access->address, &access->in_flash);
            head[1] += put_event(EVENT_DATA_HIT, 0, access->address, &access->data_hits);
            head[1] += put_event(EVENT_ODD, 0, access->address, &access->odd);
            head[1] += put_event(EVENT_HALF, 0, access->address, &access->half);
            head[1] += put_event(EVENT_DATA_MISS, 0, access->address, &access->data_misses);
            for (uint32_t r = 0; r < memory.regions; r++) {
                head[1] += put_event(EVENT_REGION, r, access->address, &access->in_region[r]);
            }
        }
    }
    failed |= fseek(samples_file, at, SEEK_SET) != 0;
    put(head, sizeof head);
    failed |= fseek(samples_file, 0, SEEK_END) != 0;
    samples++;
}

static void write_blocks(void)
{
    FILE *file = fopen("blocks.bin", "wb");
    for (uint32_t i = 0; file && i < block_count; i++) {
        const block_t *block = blocks[i];
        uint32_t record[4] = {block->start, block->end, block->last, block->instructions};
        failed |= fwrite(record, sizeof record, 1, file) != 1;
    }
    failed |= !file || fclose(file) != 0;
}
