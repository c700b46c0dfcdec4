"""A program of FreeRTOS for the Nucleo: two tasks that compute in floats, a queue between them, a timer, delays.

Its sources are not ours: MCUSIM_FREERTOS names the folder of a FreeRTOS-Kernel.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.engines.qemu.bare_firmware import build_bare
from tests.required import skip_or_fail

SOURCES = "MCUSIM_FREERTOS"
_CONFIGURATION = """
#define configUSE_PREEMPTION 1
#define configUSE_IDLE_HOOK 0
#define configUSE_TICK_HOOK 1
#define configCPU_CLOCK_HZ 48000000UL
#define configTICK_RATE_HZ 1000
#define configMAX_PRIORITIES 5
#define configMINIMAL_STACK_SIZE 128
#define configTOTAL_HEAP_SIZE (20 * 1024)
#define configMAX_TASK_NAME_LEN 16
#define configTICK_TYPE_WIDTH_IN_BITS TICK_TYPE_WIDTH_32_BITS
#define configUSE_TIMERS 1
#define configTIMER_TASK_PRIORITY 4
#define configTIMER_QUEUE_LENGTH 10
#define configTIMER_TASK_STACK_DEPTH 256
#define configCHECK_FOR_STACK_OVERFLOW 0
#define configCHECK_HANDLER_INSTALLATION 0
#define configPRIO_BITS 4
#define configKERNEL_INTERRUPT_PRIORITY (15 << 4)
#define configMAX_SYSCALL_INTERRUPT_PRIORITY (5 << 4)
#define INCLUDE_vTaskDelay 1
#define configASSERT(x) if (!(x)) for (;;);
#define vPortSVCHandler SVC_Handler
#define xPortPendSVHandler PendSV_Handler
#define xPortSysTickHandler SysTick_Handler
"""
# `work` takes longer than a tick, so that it is interrupted, and left for the other task, in its middle.
_MAIN = """
#include "FreeRTOS.h"
#include "task.h"
#include "queue.h"
#include "timers.h"
#define CYCLES (*(volatile uint32_t *)0xE0001004)
volatile uint32_t started, first_tick, ticks, delayed, rung, received, done;
volatile float alone, disturbed, heard;
static QueueHandle_t queue;

static __attribute__((noinline)) float step(float x) { return x * 0.999f + 1.0f / (x + 2.0f); }
__attribute__((noipa)) float work(void) { float x = 1; for (int i = 0; i < WORK; i++) { x = step(x); } return x; }

void vApplicationTickHook(void) { if (!ticks++) { first_tick = CYCLES - started; } }
static void ring(TimerHandle_t timer) { (void)timer; rung++; }

static void leave(void)
{
    register uint32_t call __asm__("r0") = 0x18, reason __asm__("r1") = 0x20026;
    done = 1;
    __asm__ volatile("bkpt 0xab" :: "r"(call), "r"(reason));
    for (;;) { }
}

static void produce(void *none)
{
    (void)none;
    uint32_t before = CYCLES;
    vTaskDelay(5);
    delayed = CYCLES - before;
    for (int i = 0; i < 4; i++) {
        float found = work();
        disturbed = found;
        xQueueSend(queue, &found, portMAX_DELAY);
    }
    vTaskDelay(2);
    leave();
}

static void consume(void *none)
{
    float found, sum = 0;
    (void)none;
    for (;;) {
        if (xQueueReceive(queue, &found, 1)) { heard = found; received++; }
        for (int i = 0; i < 40; i++) { sum = step(sum) + found; } /* a register of the FPU for each task */
    }
}

int main(void)
{
    *(volatile uint32_t *)0xE000EDFC |= 1 << 24;
    *(volatile uint32_t *)0xE0001000 |= 1;
    alone = work();
    queue = xQueueCreate(2, sizeof(float));
    xTaskCreate(produce, "produce", 256, NULL, 1, NULL);
    xTaskCreate(consume, "consume", 256, NULL, 2, NULL);
    xTimerStart(xTimerCreate("timer", 3, pdTRUE, NULL, ring), 0);
    started = CYCLES;
    vTaskStartScheduler();
    return 1;
}
"""


def build_freertos(folder: Path, *, steps: int = 10_000) -> Path:
    """`steps` of work() take 20 to 30 cycles each. Skips the test where there are no sources."""
    kernel = Path(os.environ.get(SOURCES, "nowhere"))
    if not (kernel / "tasks.c").is_file():
        skip_or_fail("freertos", f"{SOURCES} names no folder of a FreeRTOS-Kernel")
    port = kernel / "portable" / "GCC" / "ARM_CM4F"
    names = [kernel / f"{name}.c" for name in ("tasks", "queue", "list", "timers")]
    names += [port / "port.c", kernel / "portable" / "MemMang" / "heap_4.c"]
    folders = [f"-I{place}" for place in (folder, kernel / "include", port)]
    sources = {"main.c": _MAIN, "FreeRTOSConfig.h": _CONFIGURATION}
    return build_bare(folder, sources, *map(str, names), *folders, f"-DWORK={steps}")
