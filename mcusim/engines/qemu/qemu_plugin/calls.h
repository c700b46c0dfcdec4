/* Which call every block belongs to: stacks of calls, kept beside the firmware's own from its first instruction on.
 *
 * A call is left when a jump goes to its return address with the stack pointer that it had: recursion and stacks of several tasks
 * have the same addresses. A branch to another function is a call that returns together with its caller. What jumps away with
 * frames behind it (longjmp, an exception of C++) is seen by its stack pointer, too: those frames are gone.
 *
 * An exception is entered with EXC_RETURN in LR and left to the stack that it interrupted, or, after a switch of tasks, to another.
 *
 * `registers` are those of the core at the beginning of a block, or NULL where this QEMU does not show them (see profile.c). Without
 * them calls are told apart by their return addresses alone, and tasks not at all.
 */
#include "functions.h"

#include <stdbool.h>
#include <stdint.h>

enum { REGISTER_SP = 13, REGISTER_LR = 14, NOWHERE = 1 }; /* no instruction lies at an odd address */
enum { MOST_FRAMES = 1 << 16, MOST_STACKS = 1 << 10 };
enum { FAR_BYTES = 1 << 16, NEAR_BYTES = 1 << 10 }; /* how far one block moves the stack pointer */

typedef struct {
    uint32_t function, return_address, sp, node;
    bool tail;      /* it returns with the frame below */
    bool exception; /* it is left by a return from exception */
    bool elsewhere; /* it does not belong to the measured call */
    const block_t *interrupted;
    uint32_t interrupted_sp;
} frame_t;

/* One of the thread, or of each task. `left_at`: the block after which an exception came, while another stack runs. */
typedef struct {
    frame_t *frames;
    uint32_t depth, room, base_sp, left_sp;
    const block_t *left_at;
} call_stack_t;

static call_stack_t first_stack, *stacks[MOST_STACKS] = {&first_stack}, *running = &first_stack, *measured_stack;
static uint32_t stack_count = 1;
static int64_t measured_frame; /* index in `measured_stack`; -1: it is never left */
static const block_t *last = &outside_block; /* the block before, measured or not */
static uint32_t last_sp;
static uint64_t never_returned, jumped_out;

static void end(bool jumped);

/* ---- Frames ------------------------------------------------------------------------------------------------ */

static frame_t *top(void)
{
    return running->depth ? &running->frames[running->depth - 1] : NULL;
}

static void choose_node(void)
{
    const frame_t *frame = top();
    set_node(frame ? frame->node : MEASURED_NODE, running != measured_stack || (frame && frame->elsewhere));
}

static frame_t *push_below(uint32_t parent, uint32_t function, uint32_t return_address, uint32_t sp)
{
    call_stack_t *stack = running;
    if (stack->depth == stack->room && stack->room < MOST_FRAMES) {
        stack->room = stack->room ? stack->room * 2 : 64;
        stack->frames = must(realloc(stack->frames, stack->room * sizeof *stack->frames));
    }
    const frame_t *below = top();
    bool elsewhere_too = inside && (stack != measured_stack || (below && below->elsewhere));
    if (stack->depth == MOST_FRAMES) { /* deeper than any stack of such a chip: it cannot be followed */
        stack->depth--;
    }
    frame_t *frame = &stack->frames[stack->depth++];
    *frame = (frame_t){.function = function, .return_address = return_address, .sp = sp, .elsewhere = elsewhere_too};
    if (inside) {
        frame->node = node_below(parent, function);
        nodes[frame->node].calls += frame->node != parent && nodes[frame->node].parent == parent; /* else it calls itself */
    }
    tell_depth(stack->depth, function);
    return frame;
}

static frame_t *push(uint32_t function, uint32_t return_address, uint32_t sp)
{
    return push_below(top() ? top()->node : MEASURED_NODE, function, return_address, sp);
}

/* Leaves `depth` frames of the running stack. `jumped`: not by their returns. */
static void pop_to(uint32_t depth, bool jumped)
{
    running->depth = depth;
    tell_depth(depth, 0);
    if (inside && running == measured_stack && (int64_t)depth <= measured_frame) {
        end(jumped);
    }
}

/* ---- Calls and jumps --------------------------------------------------------------------------------------- */

/* A branch to another function. Functions that branch to each other in turn do not grow the stack. */
static void tail_call(const block_t *block, uint32_t sp)
{
    uint32_t function = entry_of(block);
    for (uint32_t depth = running->depth; depth; depth--) {
        const frame_t *frame = &running->frames[depth - 1];
        bool measured = inside && running == measured_stack && (int64_t)depth <= measured_frame;
        if (frame->function == function && depth < running->depth && !measured) {
            pop_to(depth, false);
            return;
        }
        if (!frame->tail || measured) {
            break;
        }
    }
    if (!top() || top()->function != function) {
        bool tail = top();
        push(function, NOWHERE, sp)->tail = tail;
    }
}

/* A part of a function that lies elsewhere (.cold) and back: the same frame as before. */
static void jump_back(const block_t *block)
{
    uint32_t function = entry_of(block);
    for (uint32_t depth = running->depth; depth; depth--) {
        if (running->frames[depth - 1].function == function) {
            pop_to(depth, false);
            return;
        }
        if (!running->frames[depth - 1].tail) {
            return;
        }
    }
}

static bool returns(uint32_t address, uint32_t sp, bool sp_known)
{
    for (uint32_t depth = running->depth; depth; depth--) {
        const frame_t *frame = &running->frames[depth - 1];
        if (frame->exception) {
            return false;
        }
        if (!frame->tail && frame->return_address == address && (!sp_known || frame->sp == sp)) {
            pop_to(depth - 1, false);
            return true;
        }
    }
    return false;
}

/* Frames below which the stack pointer lies no longer. */
static void unwind(const block_t *block, uint32_t sp)
{
    uint32_t depth = running->depth;
    while (depth) {
        const frame_t *frame = &running->frames[depth - 1], *below = depth > 1 ? frame - 1 : NULL;
        bool in_caller = below && below->function == entry_of(block) && frame->function != below->function;
        bool back = in_caller && frame->sp == sp && !is_entry(block);
        if (frame->exception || !(frame->sp < sp || back)) {
            break;
        }
        depth--;
    }
    if (depth < running->depth) {
        pop_to(depth, true);
    }
}

/* ---- Exceptions and tasks ---------------------------------------------------------------------------------- */

static bool is_exc_return(uint32_t lr)
{
    return (lr & 0xFFFFFFE0) == 0xFFFFFFE0 && lr != UINT32_MAX; /* all ones: as after a reset */
}

/* The frame of the exception whose handler itself runs, and nothing that it called; NULL. */
static frame_t *in_handler(void)
{
    for (uint32_t depth = running->depth; depth; depth--) {
        frame_t *frame = &running->frames[depth - 1];
        if (frame->exception || !frame->tail) {
            return frame->exception ? frame : NULL;
        }
    }
    return NULL;
}

static bool goes_on(const block_t *before, const block_t *block)
{
    return block->start == before->target || (block->start == before->end && before->exit != EXIT_SUPERVISOR);
}

static bool is_exception(const block_t *before, const block_t *block, const uint32_t *registers)
{
    bool may_be = registers ? is_exc_return(registers[REGISTER_LR]) : block->function >= 0 && functions[block->function].is_handler;
    if (!may_be || goes_on(before, block)) {
        return false;
    }
    if (before->exit == EXIT_INDIRECT || before->exit == EXIT_TABLE) { /* LR is also kept by a handler that calls nothing */
        return is_entry(block) && functions[block->function].is_handler;
    }
    return before->exit != EXIT_CALL_INDIRECT || registers;
}

static void enter_exception(const block_t *before, const block_t *block, uint32_t sp)
{
    const frame_t *chained = before->exit == EXIT_INDIRECT ? in_handler() : NULL;
    const block_t *interrupted = before;
    uint32_t interrupted_sp = last_sp;
    if (chained) { /* one handler directly after the other */
        interrupted = chained->interrupted;
        interrupted_sp = chained->interrupted_sp;
        pop_to((uint32_t)(chained - running->frames), false);
    }
    bool asked_for = !chained && before->exit == EXIT_SUPERVISOR;
    uint32_t caller = asked_for && top() ? top()->node : INTERRUPTS_NODE;
    frame_t *frame = push_below(caller, entry_of(block), NOWHERE, sp);
    frame->exception = true;
    frame->interrupted = interrupted;
    frame->interrupted_sp = interrupted_sp;
    frame->elsewhere |= inside && !asked_for;
}

static bool may_resume(const call_stack_t *stack, const block_t *block, uint32_t sp, uint32_t *distance)
{
    const block_t *at = stack->left_at;
    if (!at) {
        return false;
    }
    bool anywhere = at->exit == EXIT_INDIRECT || at->exit == EXIT_TABLE || at->exit == EXIT_CALL_INDIRECT;
    bool near = (block->start >= at->start && block->start <= at->end) || block->start == at->target;
    *distance = sp > stack->left_sp ? sp - stack->left_sp : stack->left_sp - sp;
    return (near && *distance < FAR_BYTES) || (anywhere && *distance < NEAR_BYTES);
}

static void follow(const block_t *before, const block_t *block, const uint32_t *registers);

static void switch_to(call_stack_t *stack, const block_t *block, const uint32_t *registers)
{
    uint32_t sp = registers[REGISTER_SP];
    const block_t *before = stack->left_at;
    running = stack;
    stack->left_at = NULL;
    if (inside && stack != measured_stack) { /* its frames were pushed when nobody measured */
        uint32_t caller = TASKS_NODE;
        for (uint32_t i = 0; i < stack->depth; i++) {
            stack->frames[i].node = caller = node_below(caller, stack->frames[i].function);
            stack->frames[i].elsewhere = true;
        }
    }
    if (!stack->depth) {
        stack->base_sp = sp;
        push_below(TASKS_NODE, entry_of(block), NOWHERE, sp);
    } else if (before) {
        follow(before, block, registers);
    }
}

/* A return to the thread: to the stack that was interrupted, or to another one, or to a new one. */
static void resume(const block_t *block, const uint32_t *registers)
{
    call_stack_t *best = NULL;
    uint32_t nearest = UINT32_MAX, distance, sp = registers[REGISTER_SP];
    for (uint32_t i = 0; i < stack_count; i++) {
        if (may_resume(stacks[i], block, sp, &distance) && distance < nearest) {
            best = stacks[i];
            nearest = distance;
        }
    }
    if (!best && stack_count < MOST_STACKS) {
        best = stacks[stack_count++] = must(calloc(1, sizeof *best));
    }
    switch_to(best ? best : running, block, registers);
}

/* A jump in a handler that is not its end: a computed one, or one to another function. */
static bool stays_in(const frame_t *handler, const block_t *before, const block_t *block, const uint32_t *registers)
{
    bool same = block->function == before->function;
    if (before->returning || !registers) {
        return same && !before->returning;
    }
    uint32_t sp = registers[REGISTER_SP];
    bool pushed = sp < handler->sp && handler->sp - sp < NEAR_BYTES;
    return is_exc_return(registers[REGISTER_LR]) ? same || is_entry(block) : same && pushed;
}

static void leave_exception(const frame_t *frame, const block_t *block, const uint32_t *registers)
{
    const block_t *interrupted = frame->interrupted;
    uint32_t sp = frame->interrupted_sp, index = (uint32_t)(frame - running->frames);
    pop_to(index, false);
    for (uint32_t i = 0; i < index; i++) {
        if (running->frames[i].exception) {
            follow(interrupted, block, registers); /* in the handler that it had interrupted */
            return;
        }
    }
    if (registers) {
        running->left_at = interrupted;
        running->left_sp = sp;
        resume(block, registers);
    } else {
        follow(interrupted, block, registers);
    }
}

/* ---- What led to a block ----------------------------------------------------------------------------------- */

/* To another stack, without an exception. */
static void leave_stack(const block_t *before, const block_t *block, const uint32_t *registers)
{
    static bool leaving; /* it is not left to itself again */
    if (leaving) {
        return;
    }
    leaving = true;
    running->left_at = before;
    running->left_sp = last_sp;
    resume(block, registers);
    leaving = false;
}

static void jumped_indirectly(const block_t *before, const block_t *block, const uint32_t *registers)
{
    uint32_t sp = registers ? registers[REGISTER_SP] : 0;
    if (returns(block->start, sp, registers)) {
        return;
    }
    const frame_t *handler = before->exit == EXIT_INDIRECT ? in_handler() : NULL;
    if (handler && !stays_in(handler, before, block, registers)) {
        leave_exception(handler, block, registers);
    } else if (block->function == before->function && !(registers && top() && top()->sp < sp)) {
        return; /* a table of jumps */
    } else if (registers && sp > running->base_sp && running->base_sp) {
        leave_stack(before, block, registers);
    } else {
        if (registers) {
            unwind(block, sp);
        }
        if (is_entry(block) && !(top() && top()->function == block->start && !top()->tail)) {
            tail_call(block, sp);
        }
    }
}

/* What the last instruction of `before` did. An interrupt may have come between the two: that is over. */
static void follow(const block_t *before, const block_t *block, const uint32_t *registers)
{
    uint32_t sp = registers ? registers[REGISTER_SP] : 0;
    bool called = before->exit == EXIT_CALL && block->start == before->target;
    if (called || (before->exit == EXIT_CALL_INDIRECT && block->start != before->end)) {
        push(entry_of(block), before->end, sp);
    } else if (goes_on(before, block)) {
        if (block->function != before->function) {
            if (is_entry(block)) {
                tail_call(block, sp);
            } else {
                jump_back(block);
            }
        }
    } else if (before->exit == EXIT_INDIRECT || before->exit == EXIT_TABLE) {
        jumped_indirectly(before, block, registers);
    }
}

/* For every block but those that follow the one before in the same function. */
static void arrive(const block_t *block, const uint32_t *registers)
{
    const block_t *before = last;
    if (before == &outside_block) {
        running->base_sp = registers ? registers[REGISTER_SP] : 0;
        push(entry_of(block), NOWHERE, running->base_sp);
    } else if (is_exception(before, block, registers)) {
        enter_exception(before, block, registers ? registers[REGISTER_SP] : 0);
    } else {
        follow(before, block, registers);
    }
    if (inside) {
        choose_node();
    }
}
