/* What registers hold, told by those that a block begins with; and what one instruction accesses. See thumb.h. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { NO_REGISTER = 16, LINK = 14, PROGRAM_COUNTER = 15, STACK_POINTER = 13 };

typedef struct {
    bool known;
    uint8_t one, other, shift; /* registers, NO_REGISTER: none */
    uint32_t offset;
} value_t;

/* `words` accesses, one after the other from `value` on. `halves`: bits of an address that cost a load time when they are set. */
typedef struct {
    value_t value;
    uint32_t words;
    uint8_t halves;
} reach_t;

/* Reads code instruction by instruction. Of the last one: `accesses` of one or two runs; or `watch`: it may do others. */
typedef struct {
    value_t of[16];
    uint32_t at;
    reach_t reach;
    bool watch, wide; /* QEMU may tell two words at once */
} reader_t;

static value_t number(uint32_t offset)
{
    return (value_t){true, NO_REGISTER, NO_REGISTER, 0, offset};
}

static void reader_begins(reader_t *reader)
{
    for (uint8_t i = 0; i < 16; i++) {
        reader->of[i] = (value_t){true, i, NO_REGISTER, 0, 0};
    }
}

static bool same_value(const value_t *a, const value_t *b)
{
    return a->known == b->known && a->one == b->one && a->other == b->other && a->shift == b->shift && a->offset == b->offset;
}

static value_t plus(value_t value, uint32_t offset)
{
    value.offset += offset;
    return value;
}

/* a + (b << shift) */
static value_t sum(value_t a, value_t b, unsigned shift)
{
    value_t unknown = {0};
    if (!a.known || !b.known) {
        return unknown;
    }
    if (shift == 0 && b.other != NO_REGISTER) { /* the simpler one is added */
        value_t swapped = a;
        a = b;
        b = swapped;
    }
    bool full = a.other != NO_REGISTER && !(a.one == NO_REGISTER && shift == 0);
    if (b.other != NO_REGISTER || (b.one != NO_REGISTER && full)) {
        return unknown;
    }
    if (b.one != NO_REGISTER && a.one == NO_REGISTER && shift == 0) {
        a.one = b.one;
    } else if (b.one != NO_REGISTER) {
        a.other = b.one;
        a.shift = (uint8_t)shift;
    }
    return plus(a, b.offset << shift);
}

static void lose(reader_t *reader, uint32_t number_of)
{
    reader->of[number_of & 15].known = false;
}

static void lose_all(reader_t *reader)
{
    for (uint32_t i = 0; i < 16; i++) {
        lose(reader, i);
    }
}

static void lose_listed(reader_t *reader, uint32_t list)
{
    for (; list; list &= list - 1) {
        lose(reader, (uint32_t)__builtin_ctz(list));
    }
}

/* The stack pointer is always a multiple of four, whatever is written to it: only steps from where it was are followed. */
static void set(reader_t *reader, uint32_t to, value_t value)
{
    bool steps = value.one == STACK_POINTER && value.other == NO_REGISTER && value.offset % 4 == 0;
    reader->of[to] = value;
    reader->of[to].known &= to != STACK_POINTER || steps;
}

static void access_memory(reader_t *reader, value_t value, uint32_t words, uint8_t halves)
{
    reader->reach = (reach_t){value, words, halves};
    reader->watch |= !value.known;
}

/* `size` in bytes: of loads, those of halfwords and words may be unaligned. */
static void load(reader_t *reader, value_t from, uint32_t size, uint32_t to)
{
    access_memory(reader, from, 1, size == 4 ? 3 : size == 2 ? 1 : 0);
    lose(reader, to);
}

static void store(reader_t *reader, value_t to)
{
    access_memory(reader, to, 1, 0);
}

static value_t literal(const reader_t *reader, uint32_t offset)
{
    return number(((reader->at + 4) & ~3u) + offset);
}

/* An instruction that is not known here. */
static void read_unknown(reader_t *reader)
{
    reader->watch = reader->wide = true;
    lose_all(reader);
}
