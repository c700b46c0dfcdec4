/* Instructions of two halfwords: what they access, and what becomes of the registers. */

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
        read_unknown(reader);
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
        read_unknown(reader);
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
        read_unknown(reader);
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
        read_unknown(reader);
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
        read_unknown(reader);
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
        read_unknown(reader);
    }
}
