/* Accesses of a block that its code tells: they are looked at when the block begins, all at once, and not one by one when they happen.
 *
 * Most go where nothing has to be known but how often: a whole run of them, by one register, takes one comparison. The others go
 * through the caches in their order. Where some of a block are watched (see thumb.h), or reach a device, at which QEMU may leave
 * the block, they wait for their turn: for one that is watched, or for the next block.
 */
#include "thumb.h"

enum { MOST_BASES = 32, MOST_PLANNED = 2048, DEVICES = 0x40000000, NEAR = 1 << 16 };
enum { TURNS_UNTOLD = 1021, OUTSIDE_UNTOLD = 61 }; /* prime numbers, so that it is another block of a loop each time */

/* Where memory is of one kind. */
typedef enum { QUIET, IN_FLASH, IN_DEVICE, MIXED, IN_REGION } kind_t; /* the last one of the first region, and so on */
typedef struct {
    uint32_t origin, end; /* exclusive */
    uint32_t kind;
} place_t;

/* Accesses by the same registers, each NEAR another: from `least` bytes behind these to `past`. */
typedef struct {
    uint8_t one, other, shift;
    bool misaligned; /* whatever the registers are */
    uint32_t least, past, room; /* what the quiet place has more than they need */
    uint32_t halves, residue;   /* aligned when these bits of the registers' sum are those */
    uint32_t first;             /* of its accesses */
    place_t place;              /* where it went the last time */
    uint64_t in_flash, in_region[MAX_REGIONS];
} base_t;

typedef struct {
    access_t *access;
    uint32_t offset, next; /* the next one of the same base; 0: none */
    uint8_t base;
} planned_t;

struct plan {
    block_t *block;
    plan_t *next; /* of the same block, before its code changed */
    base_t *bases;
    planned_t *accesses;
    uint32_t base_count, count;
    bool watched; /* others are */
    unsigned conditional; /* instructions at the beginning that may be skipped */
    uint64_t times;
};

/* A plan that waits: its accesses from `next` on, where its bases are, and of what kind that is. */
static struct {
    plan_t *plan;
    uint32_t next, at[MOST_BASES], kind[MOST_BASES];
} waiting;

static place_t quiet; /* where the stack is */

static place_t place_of(uint32_t address)
{
    place_t place = {0, DEVICES, QUIET};
    if (address >= DEVICES) {
        place = (place_t){DEVICES, UINT32_MAX, IN_DEVICE};
    }
    for (uint32_t i = 0; i <= memory.regions; i++) {
        bool flash = i == memory.regions;
        uint32_t origin = flash ? memory.flash : memory.region[i], end = flash ? memory.flash_end : memory.region_end[i];
        if (address >= origin && address < end) {
            return (place_t){origin, end, flash ? IN_FLASH : IN_REGION + i};
        }
        if (end <= address && end > place.origin) {
            place.origin = end;
        } else if (origin > address && origin < place.end) {
            place.end = origin;
        }
    }
    return place;
}

static void find_quiet(uint32_t stack)
{
    quiet = place_of(stack - 4);
    if (quiet.kind != QUIET) {
        quiet.origin = quiet.end = 0;
    }
}

/* ---- Making plans ------------------------------------------------------------------------------------------ */

static base_t *base_for(plan_t *plan, const value_t *value)
{
    for (uint32_t i = 0; i < plan->base_count; i++) {
        base_t *base = &plan->bases[i];
        bool near = value->offset - base->least + NEAR < 2 * (uint32_t)NEAR;
        if (near && base->one == value->one && base->other == value->other && base->shift == value->shift) {
            return base;
        }
    }
    if (plan->base_count == MOST_BASES) {
        return NULL;
    }
    base_t *base = &plan->bases[plan->base_count++];
    *base = (base_t){.one = value->one, .other = value->other, .shift = value->shift, .least = value->offset, .past = value->offset};
    return base;
}

/* Does nothing and says so where there is no room for them. */
static bool plan_accesses(plan_t *plan, access_t *access, const reach_t *reach)
{
    if (plan->count + reach->words > MOST_PLANNED) {
        return false;
    }
    base_t *base = base_for(plan, &reach->value);
    if (!base) {
        return false;
    }
    uint32_t number_of = (uint32_t)(base - plan->bases);
    for (uint32_t i = 0; i < reach->words; i++) {
        uint32_t offset = reach->value.offset + 4 * i, residue = -offset & reach->halves;
        base->misaligned |= (residue ^ base->residue) & base->halves & reach->halves;
        base->residue |= residue;
        base->halves |= reach->halves;
        base->least = (int32_t)(offset - base->least) < 0 ? offset : base->least;
        base->past = (int32_t)(offset + 4 - base->past) > 0 ? offset + 4 : base->past;
        plan->accesses[plan->count++] = (planned_t){access, offset, 0, (uint8_t)number_of};
    }
    return true;
}

static plan_t *new_plan(block_t *block)
{
    static base_t bases[MOST_BASES];
    static planned_t accesses[MOST_PLANNED];
    plan_t *plan = must(calloc(1, sizeof *plan));
    *plan = (plan_t){.block = block, .bases = bases, .accesses = accesses};
    return plan;
}

/* When all of it is known. */
static plan_t *keep_plan(plan_t *plan)
{
    planned_t *accesses = must(malloc((plan->count + 1) * sizeof *accesses));
    base_t *bases = must(malloc((plan->base_count + 1) * sizeof *bases));
    plan->accesses = memcpy(accesses, plan->accesses, plan->count * sizeof *accesses);
    plan->bases = memcpy(bases, plan->bases, plan->base_count * sizeof *bases);
    uint32_t following[MOST_BASES] = {0};
    for (uint32_t i = plan->count; i-- > 0;) {
        accesses[i].next = following[accesses[i].base];
        bases[accesses[i].base].first = following[accesses[i].base] = i;
    }
    for (uint32_t i = 0; i < plan->base_count; i++) {
        uint32_t span = bases[i].past - bases[i].least, size = quiet.end - quiet.origin;
        bases[i].room = !bases[i].misaligned && span < size ? size - span : 0;
    }
    plan->next = plan->block->plans;
    return plan->block->plans = plan;
}

/* It is the one that its block has. */
static plan_t *drop_plan(plan_t *plan)
{
    plan_t *kept = plan->block->plans;
    free(plan);
    return kept;
}

/* ---- Executing them ---------------------------------------------------------------------------------------- */

static inline uint32_t where(const base_t *base, const uint32_t *registers)
{
    uint32_t one = base->one == NO_REGISTER ? 0 : registers[base->one];
    return base->other == NO_REGISTER ? one : one + (registers[base->other] << base->shift);
}

static uint32_t kind_of(base_t *base, uint32_t at)
{
    uint32_t begins = at + base->least, span = base->past - base->least;
    if (begins - base->place.origin >= base->place.end - base->place.origin) {
        base->place = place_of(begins);
    }
    bool fits = begins - base->place.origin + span <= base->place.end - base->place.origin;
    return !fits || base->misaligned || ((at ^ base->residue) & base->halves) ? MIXED : base->place.kind;
}

static inline void read_flash(access_t *access, uint32_t address)
{
    found_t found = read_data(access->address, address);
    access->data_hits += found == CACHED;
    access->data_misses += found == MISSED;
}

static void do_planned(const planned_t *planned, uint32_t at, uint32_t kind)
{
    uint32_t address = at + planned->offset;
    if (kind == IN_FLASH) {
        read_flash(planned->access, address);
    } else if (kind == MIXED) {
        place_accessed(planned->access, address);
    }
}

/* Those that wait, of instructions before `end`. */
static void do_waiting(uint32_t end)
{
    const plan_t *plan = waiting.plan;
    for (; waiting.next < plan->count && plan->accesses[waiting.next].access->address < end; waiting.next++) {
        const planned_t *planned = &plan->accesses[waiting.next];
        do_planned(planned, waiting.at[planned->base], waiting.kind[planned->base]);
    }
    if (waiting.next == plan->count) {
        waiting.plan = NULL;
    }
}

/* Not every base is quiet. */
__attribute__((noinline)) static void do_plan_slowly(plan_t *plan, const uint32_t *registers)
{
    uint32_t flash = 0, last_flash = 0, mixed = 0, devices = 0;
    for (uint32_t i = 0; i < plan->base_count; i++) {
        base_t *base = &plan->bases[i];
        uint32_t at = waiting.at[i] = where(base, registers), kind = waiting.kind[i] = kind_of(base, at);
        if (kind == IN_FLASH) {
            base->in_flash++;
            flash++;
            last_flash = i;
        } else if (kind >= IN_REGION) {
            base->in_region[kind - IN_REGION]++;
        } else {
            mixed += kind == MIXED;
            devices += kind == IN_DEVICE;
        }
    }
    waiting.next = 0;
    if (plan->watched || devices || mixed) {
        waiting.plan = plan;
    } else if (flash == 1) {
        uint32_t i = plan->bases[last_flash].first, at = waiting.at[last_flash];
        do {
            read_flash(plan->accesses[i].access, at + plan->accesses[i].offset);
            i = plan->accesses[i].next;
        } while (i);
    } else if (flash) {
        for (uint32_t i = 0; i < plan->count; i++) {
            do_planned(&plan->accesses[i], waiting.at[plan->accesses[i].base], waiting.kind[plan->accesses[i].base]);
        }
    }
}

static inline void do_plan(plan_t *plan, const uint32_t *registers)
{
    plan->times++;
    for (uint32_t i = 0; i < plan->base_count; i++) {
        const base_t *base = &plan->bases[i];
        uint32_t at = where(base, registers);
        if (__builtin_expect(at + base->least - quiet.origin >= base->room || ((at ^ base->residue) & base->halves), 0)) {
            do_plan_slowly(plan, registers);
            return;
        }
    }
}

/* The block of `plan`, the last one, was left before the instruction at `address`. */
static void undo_plan(plan_t *plan, uint32_t address)
{
    bool waits = waiting.plan == plan;
    for (uint32_t i = plan->count; i-- > 0 && plan->accesses[i].access->address >= address;) {
        access_t *access = plan->accesses[i].access;
        uint32_t kind = waits ? waiting.kind[plan->accesses[i].base] : QUIET;
        access->accesses--; /* which the plan's times will make up for */
        access->in_flash -= kind == IN_FLASH;
        if (kind >= IN_REGION) {
            access->in_region[kind - IN_REGION]--;
        }
    }
    if (waits) {
        do_waiting(address);
        waiting.plan = NULL;
    }
}

/* At the end of a sample. */
static void count_planned(void)
{
    for (uint32_t i = 0; i < block_count; i++) {
        for (plan_t *plan = blocks[i]->plans; plan; plan = plan->next) {
            if (!plan->times) {
                continue;
            }
            for (uint32_t n = 0; n < plan->count; n++) {
                access_t *access = plan->accesses[n].access;
                const base_t *base = &plan->bases[plan->accesses[n].base];
                access->accesses += plan->times;
                access->in_flash += base->in_flash;
                for (uint32_t r = 0; r < memory.regions; r++) {
                    access->in_region[r] += base->in_region[r];
                }
            }
            for (uint32_t n = 0; n < plan->base_count; n++) {
                plan->bases[n].in_flash = 0;
                memset(plan->bases[n].in_region, 0, sizeof plan->bases[n].in_region);
            }
            plan->times = 0;
        }
    }
}

/* For whoever waits for a firmware that hangs: one of so many turns. */
static void tell_planned(const plan_t *plan, const uint32_t *registers, uint32_t times)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const planned_t *planned = &plan->accesses[i];
        tell_access(planned->access->address, where(&plan->bases[planned->base], registers) + planned->offset, times);
    }
}
