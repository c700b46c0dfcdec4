/* Blocks of code, edges between them and accesses of their instructions, each with what is counted of it; and the memory that they use. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "cache.h"

enum { MAX_REGIONS = 8 };

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
    bool fetched; /* the caches are to know that it runs */
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
    bool replay, unified; /* the latter: data is behind the cache of instructions, too, but has a buffer of its own */
    uint32_t data_buffered; /* what that holds */
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
    block->fetched = block->granules || memory.unified;
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
