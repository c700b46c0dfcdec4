/* What a profile counts, apart from QEMU: blocks, edges between them, and what caches would have done.
 *
 * A block is a run of instructions that was executed from its first to its last; edges count how often one followed another, so
 * that edges into a block are its executions. Caches only say hit or miss here: what a miss costs depends on clock
 * and wait states, and is priced later, so one profile serves every clock.
 *
 * samples.bin: for each sample { edges, events } (two uint64), edges of { from, to, count }, events of { kind, block, address, count }
 * tree.bin: { nodes, tallies, calls that never returned, calls left by a jump } (four uint64), nodes of { parent, function, calls }, then
 *     { node, from, to, count } summed over all samples. The first three nodes have no parent but themselves: the measured call,
 *     interrupts and other tasks inside of it.
 * code.bin: see write_code
 * blocks.bin: { first address, end, address of the last instruction, instructions } for each block; block 0 is all outside the markers
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "tree.h"

enum { EVENT_ACCESS, EVENT_DATA_MISS, EVENT_FETCH_MISS_NEXT, EVENT_FETCH_MISS_JUMP, EVENT_REGION, EVENT_ODD, EVENT_HALF, EVENT_FLASH, EVENT_DATA_HIT };
enum { MAX_REGIONS = 8 };

/* ---- Blocks and edges -------------------------------------------------------------------------------------- */

typedef struct block block_t;
typedef struct plan plan_t;
typedef struct tally {
    uint32_t node;
    uint64_t count, total; /* of this sample, of those before */
    struct tally *next;
} tally_t;
typedef struct edge {
    block_t *to;
    tally_t *hot, *tallies; /* one for each node of the tree that ran it */
    struct edge *next;
} edge_t;

/* How a block is left, by its last instruction. The first two go on at `target` or right behind the block; a table is no return
 * from an exception, which any other indirect jump may be. */
typedef enum { EXIT_FALLS, EXIT_DIRECT, EXIT_CALL, EXIT_CALL_INDIRECT, EXIT_INDIRECT, EXIT_TABLE, EXIT_SUPERVISOR } exit_t;

/* One for each instruction that may access memory. */
typedef struct {
    uint32_t address;
    uint8_t halves;      /* bits of its addresses that are looked at */
    uint8_t conditional; /* instructions from here on, this one included, that a condition before them may skip */
    uint64_t accesses, in_flash, data_hits, data_misses, in_region[MAX_REGIONS];
    uint64_t odd, half; /* at addresses 1 or 3, and 2, after a multiple of 4, of those in `halves` */
} access_t;

struct block {
    edge_t *hot, *edges; /* the hot one is the edge taken last */
    uint32_t start, end, last, instructions, index;
    uint32_t target;  /* of a direct branch; else odd */
    int32_t function; /* its index; -1 without a symbol */
    exit_t exit;
    bool returning; /* its jump goes where a call or an exception came from, and is no computed one */
    bool special; /* here a measurement may begin or end */
    bool known, changed; /* its code; it was written while the firmware ran */
    uint8_t *code;
    uint16_t *offsets; /* of each instruction from `start` */
    uint64_t jump_misses, *next_misses;
    uint32_t granules;
    uint64_t fills; /* of the instruction cache when this was last fetched: it is still there when that is unchanged */
    uint64_t used, used_in; /* when it was fetched last, and since which settle(), while the order of its lines is not settled */
    plan_t *plans; /* of the code that it has had, the last one first: planned.h */
    block_t *next_in_bucket;
};

static struct {
    cache_t instruction, data;
    bool replay, unified;
    uint32_t flash, flash_end;
    uint32_t regions, region[MAX_REGIONS], region_end[MAX_REGIONS];
} memory;

enum { BUCKETS = 1 << 14, MAX_BLOCKS = 1 << 20 };
static block_t *buckets[BUCKETS], *blocks[MAX_BLOCKS];
static block_t outside_block = {.start = UINT32_MAX, .end = UINT32_MAX, .last = UINT32_MAX, .target = UINT32_MAX, .function = -1};
static uint32_t block_count;
static access_t **access_table;
static size_t access_count, access_room;
static block_t *previous = &outside_block, *before_previous = &outside_block;
static bool inside, failed;
static uint32_t node; /* of the tree, that what runs belongs to */
static bool elsewhere; /* in an interrupt or in another task: counted in the tree alone, and not replayed */
static block_t *left_previous, *left_before_previous;
static uint64_t samples;
static FILE *samples_file;

/* Blocks whose lines were used since the order in which lines leave was last settled: most run again before anything has to leave. */
static block_t **unsettled;
static uint32_t unsettled_count, unsettled_room;
static uint64_t uses, settlements = 1;

static int32_t function_of(uint32_t address);

/* When the caches' geometry and all of `memory` are known. */
static bool memory_set_up(void)
{
    return !memory.replay || (cache_stands_before(&memory.instruction, memory.flash, memory.flash_end) &&
                              (memory.unified || cache_stands_before(&memory.data, memory.flash, memory.flash_end)));
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
    *block = (block_t){
        .start = start,
        .end = end,
        .last = last,
        .instructions = instructions,
        .index = block_count,
        .target = UINT32_MAX,
        .function = function_of(start),
        .next_in_bucket = *bucket,
    };
    if (memory.replay && start >= memory.flash && end <= memory.flash_end) {
        uint32_t granule = memory.instruction.granule;
        block->granules = (end - 1) / granule - start / granule + 1;
        block->next_misses = must(calloc(block->granules, sizeof(uint64_t)));
    }
    *bucket = blocks[block_count++] = block;
    return block;
}

/* Where the one of an instruction is kept, or has its place. */
static access_t **access_place(uint32_t address)
{
    size_t at = address / 2 % access_room;
    while (access_table[at] && access_table[at]->address != address) {
        at = (at + 1) % access_room;
    }
    return &access_table[at];
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
    access_t **place = access_place(address);
    if (!*place) {
        *place = must(calloc(1, sizeof(access_t)));
        (*place)->address = address;
        (*place)->halves = 3;
        access_count++;
    }
    return *place;
}

static void begin_sample(void)
{
    inside = true;
    previous = before_previous = &outside_block;
    node = MEASURED_NODE;
    elsewhere = false;
    if (memory.replay) {
        unsettled_count = 0;
        settlements++;
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

__attribute__((noinline)) static tally_t *find_tally(edge_t *edge)
{
    tally_t **link = &edge->tallies, *tally = *link;
    while (tally && tally->node != node) {
        link = &tally->next;
        tally = *link;
    }
    if (tally) {
        *link = tally->next;
    } else {
        tally = must(calloc(1, sizeof *tally));
        tally->node = node;
    }
    tally->next = edge->tallies;
    edge->hot = edge->tallies = tally;
    return tally;
}

/* An interrupt is not part of the straight line: what ran before it is what runs before what comes after it. */
static void set_node(uint32_t to, bool now_elsewhere)
{
    node = to;
    if (now_elsewhere && !elsewhere) {
        left_previous = previous;
        left_before_previous = before_previous;
        previous = before_previous = &outside_block;
    } else if (elsewhere && !now_elsewhere) {
        previous = left_previous;
        before_previous = left_before_previous;
    }
    elsewhere = now_elsewhere;
}

/* ---- Code through the cache -------------------------------------------------------------------------------- */

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

static inline void block_executed(block_t *block)
{
    block_t *before = previous;
    edge_t *edge = before->hot;
    if (__builtin_expect(!edge || edge->to != block, 0)) {
        edge = find_edge(before, block);
    }
    tally_t *tally = edge->hot;
    if (__builtin_expect(!tally || tally->node != node, 0)) {
        tally = find_tally(edge);
    }
    tally->count++;
    before_previous = before;
    previous = block;
}

static inline found_t read_data(uint32_t address)
{
    if (memory.unified) {
        settle();
    }
    return cache_read(memory.unified ? &memory.instruction : &memory.data, address);
}

/* What an access is but its number. */
static inline void place_accessed(access_t *access, uint32_t address)
{
    if (__builtin_expect(address & access->halves, 0)) {
        access->odd += address & 1;
        access->half += (address & 3) == 2;
    }
    if (address - memory.flash < memory.flash_end - memory.flash) {
        access->in_flash++;
        found_t found = read_data(address);
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

static inline void memory_accessed(access_t *access, uint32_t address)
{
    access->accesses++;
    if (memory.replay) {
        place_accessed(access, address);
    }
}

/* QEMU left `previous` after the instruction at `address`, which it goes on to run alone (QEMU >= 8.2, access to a device). */
static void cut_short(uint32_t address, uint32_t end)
{
    uint32_t instructions = 0;
    while (instructions < previous->instructions && previous->start + previous->offsets[instructions] <= address) {
        instructions++;
    }
    find_tally(find_edge(before_previous, previous))->count--;
    edge_t *edge = find_edge(before_previous, block_for(previous->start, end, address, instructions));
    find_tally(edge)->count++;
    edge->to->offsets = previous->offsets;
    edge->to->code = previous->code;
    previous = edge->to;
}

/* What is written of a sample. */
static uint64_t *written;
static size_t written_count, written_room;

static void put(uint64_t word)
{
    if (written_count == written_room) {
        written_room = written_room ? written_room * 2 : 1 << 14;
        written = must(realloc(written, written_room * sizeof *written));
    }
    written[written_count++] = word;
}

static void put_event(uint32_t kind, uint32_t block, uint32_t address, uint64_t *count)
{
    if (*count) {
        put(kind);
        put(block);
        put(address);
        put(*count);
        written[1]++;
        *count = 0;
    }
}

static bool in_sample(uint32_t of)
{
    while (nodes[of].parent != of) {
        of = nodes[of].parent;
    }
    return of == MEASURED_NODE;
}

/* How often the measured call took `edge` in this sample. */
static uint64_t take_tallies(edge_t *edge)
{
    uint64_t count = 0;
    for (tally_t *tally = edge->tallies; tally; tally = tally->next) {
        if (tally->count) {
            count += in_sample(tally->node) ? tally->count : 0;
            tally->total += tally->count;
            tally->count = 0;
        }
    }
    return count;
}

static void put_edges(uint32_t from)
{
    for (edge_t *edge = blocks[from]->edges; edge; edge = edge->next) {
        uint64_t count = take_tallies(edge);
        if (count) {
            put(from);
            put(edge->to->index);
            put(count);
            written[0]++;
        }
    }
}

static void put_accesses(access_t *access)
{
    put_event(EVENT_ACCESS, 0, access->address, &access->accesses);
    put_event(EVENT_FLASH, 0, access->address, &access->in_flash);
    put_event(EVENT_DATA_HIT, 0, access->address, &access->data_hits);
    put_event(EVENT_ODD, 0, access->address, &access->odd);
    put_event(EVENT_HALF, 0, access->address, &access->half);
    put_event(EVENT_DATA_MISS, 0, access->address, &access->data_misses);
    for (uint32_t region = 0; region < memory.regions; region++) {
        put_event(EVENT_REGION, region, access->address, &access->in_region[region]);
    }
}

/* Everything counted since the last call becomes one sample. */
static void end_sample(void)
{
    written_count = 0;
    put(0); /* edges */
    put(0); /* events */
    for (uint32_t i = 0; i < block_count; i++) {
        put_edges(i);
    }
    for (uint32_t i = 0; i < block_count; i++) {
        block_t *block = blocks[i];
        put_event(EVENT_FETCH_MISS_JUMP, i, block->start, &block->jump_misses);
        for (uint32_t g = 0; g < block->granules; g++) {
            put_event(EVENT_FETCH_MISS_NEXT, i, g, &block->next_misses[g]);
        }
    }
    for (size_t i = 0; i < access_room; i++) {
        if (access_table[i]) {
            put_accesses(access_table[i]);
        }
    }
    failed |= fwrite(written, sizeof *written, written_count, samples_file) != written_count;
    samples++;
}

static void write_words(FILE *file, const uint64_t *from, size_t count)
{
    failed |= fwrite(from, sizeof *from, count, file) != count;
}

static void write_tree(uint64_t unreturned, uint64_t jumped)
{
    FILE *file = fopen("tree.bin", "wb");
    uint64_t head[4] = {node_count, 0, unreturned, jumped};
    if (!file) {
        failed = true;
        return;
    }
    write_words(file, head, 4);
    for (uint32_t i = 0; i < node_count; i++) {
        write_words(file, (uint64_t[]){nodes[i].parent, nodes[i].function, nodes[i].calls}, 3);
    }
    for (uint32_t i = 0; i < block_count; i++) {
        for (edge_t *edge = blocks[i]->edges; edge; edge = edge->next) {
            for (tally_t *tally = edge->tallies; tally; tally = tally->next) {
                if (tally->total) {
                    write_words(file, (uint64_t[]){tally->node, i, edge->to->index, tally->total}, 4);
                    head[1]++;
                }
            }
        }
    }
    failed |= fseek(file, 0, SEEK_SET) != 0;
    write_words(file, head, 4);
    failed |= fclose(file) != 0;
}

/* What QEMU translated: { start, bytes, changed } (three uint32) and the bytes, for each block that has them. */
static void write_code(void)
{
    FILE *file = fopen("code.bin", "wb");
    for (uint32_t i = 0; file && i < block_count; i++) {
        const block_t *block = blocks[i];
        uint32_t record[3] = {block->start, block->end - block->start, block->changed};
        if (block->code) {
            failed |= fwrite(record, sizeof record, 1, file) != 1 || fwrite(block->code, record[1], 1, file) != 1;
        }
    }
    failed |= !file || fclose(file) != 0;
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
