/* Thumb code -> the addresses that it will access, told by the registers that a block begins with: what can be told need not be watched.
 *
 * Each register is followed as one register of the beginning, plus another one shifted left, plus a number. What an instruction
 * makes of it otherwise is unknown, and so is every register behind an instruction that is not known here: that is always safe.
 *
 * Encodings: Armv7-M Architecture Reference Manual, A5.2 and A5.3.
 */
#include "followed.h"
#include "thumb_16.h"
#include "thumb_32.h"

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
