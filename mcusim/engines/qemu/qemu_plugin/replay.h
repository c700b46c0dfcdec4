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

#include "tree.h"
#include "blocks.h"
#include "fetch.h"

enum { EVENT_ACCESS, EVENT_DATA_MISS, EVENT_FETCH_MISS_NEXT, EVENT_FETCH_MISS_JUMP, EVENT_REGION, EVENT_ODD, EVENT_HALF, EVENT_FLASH, EVENT_DATA_HIT };
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
        coming.block = NULL;
        memory.data_buffered = UINT32_MAX;
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

static inline found_t read_data(uint32_t by, uint32_t address)
{
    return memory.unified ? read_shared(by, address) : cache_read(&memory.data, address);
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
        found_t found = read_data(access->address, address);
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

/* `block` up to the instruction at `address`, which ends at `end`. */
static block_t *first_part(const block_t *block, uint32_t address, uint32_t end)
{
    uint32_t instructions = 0;
    while (instructions < block->instructions && block->start + block->offsets[instructions] <= address) {
        instructions++;
    }
    block_t *part = block_for(block->start, end, address, instructions);
    part->offsets = block->offsets;
    part->code = block->code;
    return part;
}

/* QEMU left `previous` after the instruction at `address`, which it goes on to run alone (QEMU >= 8.2, access to a device). */
static void cut_short(uint32_t address, uint32_t end)
{
    if (coming.block) {
        fetch_to(end - 1);
        coming.block = NULL;
    }
    find_tally(find_edge(before_previous, previous))->count--;
    edge_t *edge = find_edge(before_previous, first_part(previous, address, end));
    find_tally(edge)->count++;
    previous = edge->to;
}

/* What is written of a sample. */
static uint64_t *written;
static size_t written_count, written_room;

/* Room for so many more. */
static inline uint64_t *put(size_t words)
{
    if (__builtin_expect(written_count + words > written_room, 0)) {
        written_room = written_room ? written_room * 2 : 1 << 14;
        written = must(realloc(written, written_room * sizeof *written));
    }
    written_count += words;
    return &written[written_count - words];
}

static inline void put_event(uint32_t kind, uint32_t block, uint32_t address, uint64_t *count)
{
    if (*count) {
        memcpy(put(4), (uint64_t[]){kind, block, address, *count}, 4 * sizeof(uint64_t));
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
            memcpy(put(3), (uint64_t[]){from, edge->to->index, count}, 3 * sizeof(uint64_t));
            written[0]++;
        }
    }
}

static void put_accesses(access_t *access)
{
    if (!access->accesses) { /* most code runs outside of the samples only */
        return;
    }
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
    fetch_rest();
    written_count = 0;
    memset(put(2), 0, 2 * sizeof(uint64_t)); /* edges, events */
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
