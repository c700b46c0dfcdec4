/* Instructions of one halfword: what they access, and what becomes of the registers. */

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
