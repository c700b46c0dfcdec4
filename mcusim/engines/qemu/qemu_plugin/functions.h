/* functions.bin: { start, end, is a handler of exceptions } (three uint32) by address; where there is none, jumps are just jumps. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    uint32_t start, end, is_handler;
} function_t;

static function_t *functions;
static uint32_t function_count;

static void read_functions(void)
{
    FILE *file = fopen("functions.bin", "rb");
    if (!file) {
        return;
    }
    fseek(file, 0, SEEK_END);
    function_count = (uint32_t)((size_t)ftell(file) / sizeof *functions);
    functions = must(calloc(function_count + 1, sizeof *functions));
    rewind(file);
    function_count = (uint32_t)fread(functions, sizeof *functions, function_count, file);
    fclose(file);
}

static int32_t function_of(uint32_t address)
{
    uint32_t low = 0, high = function_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (functions[middle].start <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low && address < functions[low - 1].end ? (int32_t)low - 1 : -1;
}

static bool is_entry(const block_t *block)
{
    return block->function >= 0 && functions[block->function].start == block->start;
}

/* Where there is no symbol, a call begins at its first block. */
static uint32_t entry_of(const block_t *block)
{
    return block->function >= 0 ? functions[block->function].start : block->start;
}
