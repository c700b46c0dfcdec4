/* Reset -> main(): traps, memory protection, FPU, cycle counter, what board.h says of clocks, memory, stack paint. */
#include "board.h"
#include "harness.h"
#include "memory_protection.h"

#define SCB_VTOR (*(volatile uint32_t *)0xE000ED08u)
#define SCB_CCR (*(volatile uint32_t *)0xE000ED14u)
#define SCB_SHCSR (*(volatile uint32_t *)0xE000ED24u)
#define SCB_CPACR (*(volatile uint32_t *)0xE000ED88u)
#define SCB_DEMCR (*(volatile uint32_t *)0xE000EDFCu)
#define DWT_CTRL (*(volatile uint32_t *)0xE0001000u)
#define MPU_CTRL (*(volatile uint32_t *)0xE000ED94u)
#define MPU_RBAR (*(volatile uint32_t *)0xE000ED9Cu)
#define MPU_RASR (*(volatile uint32_t *)0xE000EDA0u)

#define CCR_DIV_0_TRP (1u << 4) /* without it 7 / 0 is 0 and nobody hears of it */
#define SHCSR_MEM_BUS_USAGE_FAULTS (7u << 16)
#define CPACR_FPU_FULL_ACCESS (0xFu << 20)
#define DEMCR_TRCENA (1u << 24)
#define DWT_CTRL_CYCCNTENA 1u
#define MPU_CTRL_ENABLE 1u /* PRIVDEFENA stays 0: what no region allows is a fault */
#define MPU_RBAR_VALID (1u << 4)

#define STACK_PAINT 0xC5C5C5C5u

extern uint32_t mcusim_stack_start[], mcusim_stack_end[];
extern uint32_t mcusim_code_start[], mcusim_code_end[];
extern const uint32_t mcusim_code_load[];
extern uint32_t mcusim_data_start[], mcusim_data_end[];
extern const uint32_t mcusim_data_load[];
extern uint32_t mcusim_bss_start[], mcusim_bss_end[];

int main(void);
void mcusim_fault(void);
void mcusim_reset(void);

/* The sixteen vectors of the core; no interrupt is ever enabled, so the chip's own need none. */
typedef void (*vector_t)(void);
__attribute__((section(".vectors"), used)) const vector_t mcusim_vectors[16] = {
    (vector_t)mcusim_stack_end, mcusim_reset, mcusim_fault, mcusim_fault, mcusim_fault, mcusim_fault,
    mcusim_fault,               mcusim_fault, mcusim_fault, mcusim_fault, mcusim_fault, mcusim_fault,
    mcusim_fault,               mcusim_fault, mcusim_fault, mcusim_fault,
};

static inline void synchronize(void)
{
    __asm__ volatile("dsb\n isb" ::: "memory");
}

static void protect_memory(void)
{
    for (uint32_t i = 0; i < sizeof memory_protection / sizeof memory_protection[0]; i++) {
        MPU_RBAR = memory_protection[i].base | MPU_RBAR_VALID | i;
        MPU_RASR = memory_protection[i].attributes;
    }
    MPU_CTRL = MPU_CTRL_ENABLE;
}

static inline void copy(uint32_t *to, const uint32_t *end, const uint32_t *load)
{
    while (to < end) {
        *to++ = *load++;
    }
}

static void initialize_memory(void)
{
    copy(mcusim_data_start, mcusim_data_end, mcusim_data_load);
    for (uint32_t *word = mcusim_bss_start; word < mcusim_bss_end; word++) {
        *word = 0;
    }
}

static inline void paint_stack(void)
{
    uint32_t *sp;
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    for (uint32_t *word = mcusim_stack_start; word < sp; word++) {
        *word = STACK_PAINT;
    }
}

void mcusim_reset(void)
{
    SCB_VTOR = (uint32_t)mcusim_vectors;
    SCB_CCR |= CCR_DIV_0_TRP;
    SCB_SHCSR |= SHCSR_MEM_BUS_USAGE_FAULTS;
    SCB_CPACR |= CPACR_FPU_FULL_ACCESS;
#ifdef CODE_IN_RAM
    copy(mcusim_code_start, mcusim_code_end, mcusim_code_load); /* before it is protected */
#endif
    protect_memory();
    synchronize();
    SCB_DEMCR |= DEMCR_TRCENA;
    DWT_CTRL |= DWT_CTRL_CYCCNTENA;
    board_start();
    initialize_memory();
    paint_stack();
    main();
}

uint32_t mcusim_stack_used_bytes(void)
{
    const uint32_t *word = mcusim_stack_start;
    while (word < mcusim_stack_end && *word == STACK_PAINT) {
        word++;
    }
    return (uint32_t)mcusim_stack_end - (uint32_t)word;
}
