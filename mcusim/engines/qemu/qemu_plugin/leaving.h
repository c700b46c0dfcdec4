/* How a block is left, by its last instruction. */
#include <stdbool.h>
#include <stdint.h>

/* Where a branch leads: encodings of the Armv7-M Architecture Reference Manual, A7.7.12, A7.7.18 and A7.7.21. */
static void leave_kind(block_t *block, uint16_t first, uint16_t second)
{
    uint32_t at = block->last + 4;
    block->exit = EXIT_FALLS;
    block->target = UINT32_MAX;
    block->returning = true; /* an indirect jump, but for BX with another register than LR */
    if ((first & 0xF000) == 0xD000 && (first & 0x0F00) < 0x0E00) {
        block->target = at + (uint32_t)((int32_t)(int8_t)first * 2);
    } else if ((first & 0xFF00) == 0xDF00) {
        block->exit = EXIT_SUPERVISOR;
        return;
    } else if ((first & 0xF800) == 0xE000) {
        block->target = at + (uint32_t)((int32_t)((uint32_t)first << 21) >> 20);
    } else if ((first & 0xF500) == 0xB100) {
        block->target = at + ((first >> 2 & 0x3E) | (first >> 3 & 0x40));
    } else if ((first & 0xFF87) == 0x4780) {
        block->exit = EXIT_CALL_INDIRECT;
        return;
    } else if ((first & 0xFF87) == 0x4700 || (first & 0xFF00) == 0xBD00) { /* BX, POP */
        block->exit = EXIT_INDIRECT;
        block->returning = (first & 0xFF00) == 0xBD00 || first == 0x4770;
        return;
    } else if ((first & 0xFD87) == 0x4487) { /* MOV, ADD to PC */
        block->exit = EXIT_TABLE;
        return;
    } else if ((first & 0xF800) == 0xF000 && second & 0x8000) {
        uint32_t sign = first >> 10 & 1, j1 = second >> 13 & 1, j2 = second >> 11 & 1;
        if ((second & 0x5000) == 0) { /* B<c>.W */
            uint32_t offset = sign << 20 | j2 << 19 | j1 << 18 | (first & 0x3Fu) << 12 | (second & 0x7FFu) << 1;
            block->target = (first & 0x0380) == 0x0380 ? UINT32_MAX : at + offset - (sign << 21);
        } else if (second & 0x1000) {
            uint32_t i1 = 1 ^ j1 ^ sign, i2 = 1 ^ j2 ^ sign;
            uint32_t offset = i1 << 23 | i2 << 22 | (first & 0x3FFu) << 12 | (second & 0x7FFu) << 1;
            block->target = at + offset - (sign << 24);
            block->exit = second & 0x4000 ? EXIT_CALL : EXIT_DIRECT;
            return;
        }
    } else if ((first & 0xFFF0) == 0xE8D0 && (second & 0xFFE0) == 0xF000) { /* TBB, TBH */
        block->exit = EXIT_TABLE;
        return;
    } else if ((first & 0xFE50) == 0xE810 && second & 0x8000) { /* LDM */
        block->exit = EXIT_INDIRECT;
        return;
    } else if ((first & 0xFF70) == 0xF850 && second >> 12 == 15) { /* LDR: from the stack it is a return */
        block->exit = (first & 0xF) == REGISTER_SP ? EXIT_INDIRECT : EXIT_TABLE;
        return;
    }
    block->exit = block->target & 1 ? EXIT_FALLS : EXIT_DIRECT;
}
