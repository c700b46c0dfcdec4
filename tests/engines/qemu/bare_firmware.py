"""Small firmware of somebody else for the memory of the Nucleo: its own vectors, start-up and linker script."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from mcusim.system.toolchain import find_arm_tool

_FLAGS = "-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard -O2 -g -ffunction-sections -nostartfiles"
_LIBRARIES = "--specs=nano.specs --specs=nosys.specs -Wl,--no-warn-mismatch"

START_UP = """
#include <stdint.h>
extern uint32_t code_in_flash, data_start, data_end, bss_start, bss_end, stack_top;
int main(void);
void SysTick_Handler(void) __attribute__((weak, alias("Default_Handler")));
void SVC_Handler(void) __attribute__((weak, alias("Default_Handler")));
void PendSV_Handler(void) __attribute__((weak, alias("Default_Handler")));
void Default_Handler(void) { for (;;) { } }

static void leave(void)
{
    register uint32_t call __asm__("r0") = 0x18, reason __asm__("r1") = 0x20026;
    __asm__ volatile("bkpt 0xab" :: "r"(call), "r"(reason));
}

void Reset_Handler(void)
{
    for (uint32_t *from = &code_in_flash, *to = &data_start; to < &data_end;) { *to++ = *from++; }
    for (uint32_t *to = &bss_start; to < &bss_end;) { *to++ = 0; }
    *(volatile uint32_t *)0xE000ED88 |= 0xF << 20;
    main();
    leave();
    for (;;) { }
}

__attribute__((section(".vectors"), used)) void *const vectors[16] = {
    &stack_top, Reset_Handler, Default_Handler, Default_Handler, Default_Handler, Default_Handler, Default_Handler,
    0, 0, 0, 0, SVC_Handler, Default_Handler, 0, PendSV_Handler, SysTick_Handler
};
"""
_SCRIPT = """
MEMORY
{
    FLASH (rx) : ORIGIN = 0x08000000, LENGTH = 512K
    RAM (rwx) : ORIGIN = 0x20000000, LENGTH = 128K
    SRAM2 (rwx) : ORIGIN = 0x10000000, LENGTH = 32K
}
SECTIONS
{
    .vectors : { KEEP(*(.vectors)) } > FLASH
    .text : { *(.text*) *(.rodata*) *(.ARM.ex*) } > FLASH
    code_in_flash = LOADADDR(.data);
    .data : { data_start = .; *(.data*) *(.ramfunc*) . = ALIGN(4); data_end = .; } > RAM AT > FLASH
    .bss : { bss_start = .; *(.bss*) *(COMMON) . = ALIGN(4); bss_end = .; } > RAM
    .sram2 (NOLOAD) : { *(.sram2*) } > SRAM2
    end = .;
    stack_top = ORIGIN(RAM) + LENGTH(RAM);
}
"""


def build_bare(folder: Path, sources: Mapping[str, str], *flags: str) -> Path:
    """`sources` by file name: C and C++, with the start-up above -> firmware.elf in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {**sources, "start_up.c": START_UP, "bare.ld": _SCRIPT}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    names = [name for name in texts if not name.endswith((".ld", ".h"))]
    command = [find_arm_tool("gcc"), *_FLAGS.split(), *names, *flags, "-T", "bare.ld", *_LIBRARIES.split()]
    built = subprocess.run([*command, "-o", "firmware.elf"], cwd=folder, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder / "firmware.elf"
