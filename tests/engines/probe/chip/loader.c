// A flash algorithm as CMSIS-Packs have them, for the flash of an STM32L452 (RM0394, 3.3): pyOCD runs it on the core.
// ST's own is in a pack of a quarter of a gigabyte, which no test downloads.
#include <stdint.h>

#define FLASH ((volatile uint32_t *)0x40022000)
enum { KEYR = 2, SR = 4, CR = 5 }; // in words
#define PG 1u
#define PER 2u
#define STRT (1u << 16)
#define LOCK (1u << 31)
#define BSY (1u << 16)
#define ERRORS 0xC3FAu
#define START 0x08000000u
#define PAGE 2048u

__attribute__((section("DevDscr"), used)) const struct {
    uint16_t version;
    char name[128];
    uint16_t type;
    uint32_t start, size, page, reserved;
    uint8_t erased, pad[3];
    uint32_t program_ms, erase_ms;
    uint32_t sectors[4];
} FlashDevice = {
    .version = 0x0101, .name = "STM32L452", .type = 1, .start = START, .size = 0x80000, .page = PAGE, .erased = 0xFF,
    .program_ms = 1000, .erase_ms = 1000, .sectors = {PAGE, 0, 0xFFFFFFFF, 0xFFFFFFFF},
};

static int done(void)
{
    while (FLASH[SR] & BSY) {
    }
    FLASH[CR] = 0;
    return (FLASH[SR] & ERRORS) != 0;
}

int Init(uint32_t start, uint32_t clock_hz, uint32_t why)
{
    (void)start, (void)clock_hz, (void)why;
    FLASH[KEYR] = 0x45670123;
    FLASH[KEYR] = 0xCDEF89AB;
    FLASH[SR] = ERRORS;
    return (FLASH[CR] & LOCK) != 0;
}

int UnInit(uint32_t why)
{
    (void)why;
    FLASH[CR] = LOCK;
    return 0;
}

int EraseSector(uint32_t address)
{
    FLASH[SR] = ERRORS;
    FLASH[CR] = PER | (address - START) / PAGE << 3;
    FLASH[CR] |= STRT;
    return done();
}

int ProgramPage(uint32_t address, uint32_t bytes, const uint32_t *data)
{
    volatile uint32_t *flash = (volatile uint32_t *)address;
    FLASH[SR] = ERRORS;
    FLASH[CR] = PG;
    for (uint32_t at = 0; at < (bytes + 7) / 8 * 2; at += 2) {
        flash[at] = data[at];
        flash[at + 1] = data[at + 1];
        while (FLASH[SR] & BSY) {
        }
    }
    return done();
}
