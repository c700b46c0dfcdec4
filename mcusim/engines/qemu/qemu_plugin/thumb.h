/* Thumb code -> the addresses that it will access, told by the registers that a block begins with: what can be told need not be watched.
 *
 * Each register is followed as one register of the beginning, plus another one shifted left, plus a number. What an instruction
 * makes of it otherwise is unknown, and so is every register behind an instruction that is not known here: that is always safe.
 *
 * Encodings: Armv7-M Architecture Reference Manual, A5.2 and A5.3.
 */
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

/* ---- 16 bits ----------------------------------------------------------------------------------------------- */

static void read_indexed_16(reader_t *reader, uint32_t code)
{
    static const uint8_t sizes[8] = {4, 2, 1, 1, 4, 2, 1, 2};
    uint32_t kind = code >> 9 & 7;
    value_t address = sum(reader->of[code >> 3 & 7], reader->of[code >> 6 & 7], 0);
    if (kind < 3) {
        store(reader, address);
    } else {
        load(reader, address, sizes[kind], code & 7);
    }
}

static void read_offset_16(reader_t *reader, uint32_t code)
{
    uint32_t kind = code >> 11, size = kind < 14 ? 4 : kind < 16 ? 1 : 2, offset = code >> 6 & 31;
    value_t address = plus(reader->of[code >> 3 & 7], offset * size);
    if (kind >= 18) {
        address = plus(reader->of[STACK_POINTER], (code & 0xFF) * 4);
    }
    if (kind & 1) {
        load(reader, address, kind >= 18 ? 4 : size, kind >= 18 ? code >> 8 & 7 : code & 7);
    } else {
        store(reader, address);
    }
}

/* Registers in `list`, by address, from `from` on. */
static void read_several(reader_t *reader, value_t from, uint32_t list, bool loads)
{
    access_memory(reader, from, (uint32_t)__builtin_popcount(list), 0);
    if (loads) {
        lose_listed(reader, list);
    }
}

static void read_misc_16(reader_t *reader, uint32_t code)
{
    uint32_t kind = code >> 8 & 15, list = code & 0xFF, bytes;
    value_t stack = reader->of[STACK_POINTER];
    if (kind == 0) {
        bytes = (code & 0x7F) * 4;
        set(reader, STACK_POINTER, plus(stack, code & 0x80 ? -bytes : bytes));
    } else if (kind == 2 || kind == 10) { /* extends, reverses */
        lose(reader, code & 7);
    } else if (kind == 4 || kind == 5) {
        list |= (code & 0x100) << 6;
        stack = plus(stack, -(4 * (uint32_t)__builtin_popcount(list)));
        read_several(reader, stack, list, false);
        set(reader, STACK_POINTER, stack);
    } else if (kind == 12 || kind == 13) {
        list |= (code & 0x100) << 7;
        read_several(reader, stack, list, true);
        set(reader, STACK_POINTER, plus(stack, 4 * (uint32_t)__builtin_popcount(list)));
    } else if (kind == 7 || kind == 8) {
        reader->watch = true;
        lose_all(reader);
    }
}

static void read_moves_16(reader_t *reader, uint32_t code)
{
    uint32_t low = code & 7, high = low | (code >> 4 & 8), from = code >> 3 & 15, kind = code >> 11;
    value_t *of = reader->of, first = of[code >> 3 & 7];
    if (kind == 3) { /* ADD, SUB of a register, of a number */
        uint32_t small = code >> 6 & 7;
        value_t added = code & 0x400 ? plus(first, code & 0x200 ? -small : small) : sum(first, of[small], 0);
        added.known &= (code >> 9 & 3) != 1;
        of[low] = added;
    } else if (kind == 0) { /* by nothing: a move */
        of[low] = sum(number(0), first, code >> 6 & 31);
    } else if (kind < 3) {
        lose(reader, low);
    } else if (kind == 8 && (code & 0x0700) == 0x0400) {
        set(reader, high, sum(of[high], of[from], 0));
    } else if (kind == 8 && (code & 0x0700) == 0x0600) {
        set(reader, high, of[from]);
    } else if (kind == 8 && !(code & 0x0400)) {
        lose(reader, low);
    } else if (kind == 4) {
        of[code >> 8 & 7] = number(code & 0xFF);
    } else if (kind == 6 || kind == 7) {
        of[code >> 8 & 7].offset += kind == 6 ? code & 0xFF : -(code & 0xFF);
    }
}

static void read_16(reader_t *reader, uint32_t code)
{
    uint32_t kind = code >> 11, base = code >> 8 & 7, list = code & 0xFF;
    value_t address = reader->of[base];
    if (kind < 9) {
        read_moves_16(reader, code);
    } else if (kind == 9) {
        load(reader, literal(reader, list * 4), 4, base);
    } else if (kind < 12) {
        read_indexed_16(reader, code);
    } else if (kind < 20) {
        read_offset_16(reader, code);
    } else if (kind < 22) { /* ADR, ADD of SP */
        reader->of[base] = kind == 20 ? literal(reader, list * 4) : plus(reader->of[STACK_POINTER], list * 4);
    } else if (kind < 24) {
        read_misc_16(reader, code);
    } else if (kind < 26) { /* LDM of a register that is in the list does not write it back */
        bool loads = kind == 25, writes_back = !(loads && list >> base & 1);
        read_several(reader, address, list, loads);
        if (writes_back) {
            reader->of[base] = plus(address, 4 * (uint32_t)__builtin_popcount(list));
        }
    }
}

/* ---- 32 bits ----------------------------------------------------------------------------------------------- */

static void unknown_32(reader_t *reader)
{
    reader->watch = reader->wide = true;
    lose_all(reader);
}

static uint32_t expanded(uint32_t first, uint32_t second)
{
    uint32_t bits = (first & 0x400) << 1 | (second >> 4 & 0x700) | (second & 0xFF), byte = bits & 0xFF;
    if (bits < 0x400) {
        static const uint32_t copies[4] = {1, 0x00010001, 0x01000100, 0x01010101};
        return byte * copies[bits >> 8];
    }
    return ((byte | 0x80) >> (bits >> 7)) | ((byte | 0x80) << (32 - (bits >> 7)));
}

/* Where an address goes: before the access or behind it, and whether the register keeps it. */
static value_t stepped(reader_t *reader, uint32_t base, uint32_t step, bool before, bool writes_back)
{
    value_t value = reader->of[base], moved = plus(value, step);
    if (writes_back) {
        set(reader, base, moved);
    }
    return before ? moved : value;
}

static void read_several_32(reader_t *reader, uint32_t first, uint32_t second)
{
    uint32_t base = first & 15, bytes = 4 * (uint32_t)__builtin_popcount(second), kind = first >> 7 & 3;
    bool loads = first & 0x10, writes_back = first & 0x20;
    if (kind != 1 && kind != 2) {
        unknown_32(reader);
        return;
    }
    value_t low = kind == 1 ? reader->of[base] : plus(reader->of[base], -bytes), moved = kind == 1 ? plus(low, bytes) : low;
    read_several(reader, low, second, loads);
    if (writes_back) {
        set(reader, base, moved);
    }
}

static void read_double_32(reader_t *reader, uint32_t first, uint32_t second)
{
    uint32_t base = first & 15, offset = (second & 0xFF) * 4, step = first & 0x80 ? offset : -offset;
    bool before = first & 0x100, writes_back = first & 0x20, loads = first & 0x10;
    if (!before && !writes_back) { /* exclusive accesses, tables of branches */
        unknown_32(reader);
        return;
    }
    value_t address = base == PROGRAM_COUNTER ? literal(reader, step) : stepped(reader, base, step, before, writes_back);
    access_memory(reader, address, 2, 0);
    reader->wide = true;
    if (loads) {
        lose(reader, second >> 12);
        lose(reader, second >> 8);
    }
}

static void read_single_32(reader_t *reader, uint32_t first, uint32_t second)
{
    uint32_t base = first & 15, size = 1u << (first >> 5 & 3), to = second >> 12, offset = second & 0xFF;
    bool loads = first & 0x10;
    value_t address;
    if (loads && to == PROGRAM_COUNTER && size < 4) { /* a hint */
        return;
    }
    if (size == 8) {
        unknown_32(reader);
        return;
    }
    if (base == PROGRAM_COUNTER) {
        address = literal(reader, first & 0x80 ? second & 0xFFF : -(second & 0xFFF));
    } else if (first & 0x80) {
        address = plus(reader->of[base], second & 0xFFF);
    } else if ((second & 0xFC0) == 0) {
        address = sum(reader->of[base], reader->of[second & 15], second >> 4 & 3);
    } else if ((second & 0x800) && (second & 0xF00) != 0xE00) {
        address = stepped(reader, base, second & 0x200 ? offset : -offset, second & 0x400, second & 0x100);
    } else {
        unknown_32(reader);
        return;
    }
    if (loads) {
        load(reader, address, size, to);
    } else {
        store(reader, address);
    }
}

static void read_coprocessor(reader_t *reader, uint32_t first, uint32_t second)
{
    uint32_t base = first & 15, step = (second & 0xFF) * 4;
    bool before = first & 0x100, up = first & 0x80, writes_back = first & 0x20, loads = first & 0x10, doubles = second & 0x100;
    if ((second & 0xE00) != 0xA00 || first & 0x1000 || (first & 0x300) == 0x300) { /* not the floating-point unit of this core */
        unknown_32(reader);
    } else if (first & 0x200) { /* arithmetic, and moves of one register */
        if (second & 0x10 && loads) {
            lose(reader, second >> 12);
        }
    } else if (!before && !up && !writes_back) { /* moves of two */
        lose(reader, second >> 12);
        lose(reader, base);
    } else {
        bool single = before && !writes_back;
        value_t from = base == PROGRAM_COUNTER ? number((reader->at + 4) & ~3u) : reader->of[base];
        value_t moved = plus(from, up ? step : -step);
        uint32_t words = single ? 1u + doubles : doubles ? step / 8 * 2 : step / 4;
        access_memory(reader, single || !up ? moved : from, words, 0);
        reader->wide = doubles;
        if (writes_back) {
            set(reader, base, moved);
        }
    }
}

static void read_immediate(reader_t *reader, uint32_t first, uint32_t second)
{
    uint32_t to = second >> 8 & 15, base = first & 15, kind = first >> 5 & 15;
    value_t from = reader->of[base], result = {0};
    if (first & 0x200) { /* 12 or 16 bits as they are */
        uint32_t bits = (first & 0x400) << 1 | (second >> 4 & 0x700) | (second & 0xFF), plain = first >> 4 & 31;
        if (plain == 0 || plain == 10) {
            result = plus(base == PROGRAM_COUNTER ? number((reader->at + 4) & ~3u) : from, plain ? -bits : bits);
        } else if (plain == 4) {
            result = number(base << 12 | bits);
        } else if (plain == 12 && reader->of[to].known && reader->of[to].one == NO_REGISTER && reader->of[to].other == NO_REGISTER) {
            result = number(((base << 12 | bits) << 16) | (reader->of[to].offset & 0xFFFF));
        }
    } else if (to == PROGRAM_COUNTER) { /* a comparison */
        return;
    } else if (kind == 8 || kind == 13) {
        result = plus(from, kind == 8 ? expanded(first, second) : -expanded(first, second));
    } else if (kind == 2 && base == PROGRAM_COUNTER) {
        result = number(expanded(first, second));
    }
    set(reader, to, result);
}

static void read_shifted(reader_t *reader, uint32_t first, uint32_t second)
{
    uint32_t to = second >> 8 & 15, base = first & 15, kind = first >> 5 & 15, shift = (second >> 10 & 0x1C) | (second >> 6 & 3);
    value_t result = {0};
    if (to == PROGRAM_COUNTER) { /* a comparison */
        return;
    }
    if ((second & 0x30) == 0 && kind == 8) {
        result = sum(reader->of[base], reader->of[second & 15], shift);
    } else if ((second & 0x30) == 0 && kind == 2 && base == PROGRAM_COUNTER) {
        result = sum(number(0), reader->of[second & 15], shift);
    }
    set(reader, to, result);
}

static void read_32(reader_t *reader, uint32_t first, uint32_t second)
{
    if ((first & 0xFE40) == 0xE800) {
        read_several_32(reader, first, second);
    } else if ((first & 0xFE40) == 0xE840) {
        read_double_32(reader, first, second);
    } else if ((first & 0xFE00) == 0xEA00) {
        read_shifted(reader, first, second);
    } else if ((first & 0xEC00) == 0xEC00) {
        read_coprocessor(reader, first, second);
    } else if ((first & 0xF800) == 0xF000 && !(second & 0x8000)) {
        read_immediate(reader, first, second);
    } else if ((first & 0xF800) == 0xF000) { /* branches, and what reads or writes special registers */
        if ((second & 0x5000) == 0 && (first & 0x380) == 0x380) {
            lose_all(reader);
        }
    } else if ((first & 0xFE00) == 0xF800) {
        read_single_32(reader, first, second);
    } else if ((first & 0xFE00) == 0xFA00) { /* arithmetic of registers, one result or two */
        lose(reader, second >> 8);
        if ((first & 0xFF80) == 0xFB80) {
            lose(reader, second >> 12);
        }
    } else {
        unknown_32(reader);
    }
}

/* The next instruction, at `at`. One that its condition may skip changes registers or not, and is watched. */
static void read_instruction(reader_t *reader, uint32_t at, uint16_t first, uint16_t second, bool conditional)
{
    value_t before[16];
    memcpy(before, reader->of, sizeof before);
    reader->of[PROGRAM_COUNTER] = number(at + 4);
    reader->at = at;
    reader->reach.words = 0;
    reader->watch = reader->wide = false;
    if (first >> 11 >= 0x1d) {
        read_32(reader, first, second);
    } else {
        read_16(reader, first);
    }
    for (uint32_t i = 0; conditional && i < 16; i++) {
        reader->of[i].known &= same_value(&before[i], &reader->of[i]);
    }
    reader->watch |= conditional && reader->reach.words;
}
