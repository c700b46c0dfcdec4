/* The tree of calls: a node for each way by which a function was reached from the measured one. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { MEASURED_NODE, INTERRUPTS_NODE, TASKS_NODE, FIRST_NODES, MOST_NODES = 1 << 17 };

typedef struct {
    uint32_t parent, function, child, sibling; /* the child is the one reached last */
    uint64_t calls;
} node_t;

static node_t *nodes;
static uint32_t node_count, node_room;

static void *must(void *pointer)
{
    if (!pointer) {
        fprintf(stderr, "mcusim: no memory for the profile\n");
        exit(1);
    }
    return pointer;
}

static uint32_t new_node(uint32_t parent, uint32_t function)
{
    if (node_count == node_room) {
        node_room = node_room ? node_room * 2 : 1024;
        nodes = must(realloc(nodes, node_room * sizeof *nodes));
    }
    nodes[node_count] = (node_t){.parent = parent, .function = function};
    return node_count++;
}

static void plant_tree(uint32_t measured)
{
    for (uint32_t i = 0; i < FIRST_NODES; i++) {
        new_node(i, i == MEASURED_NODE ? measured : UINT32_MAX);
    }
}

/* Where `function` is called from `node`. One that calls itself, also by way of others, is one node: its cycles count once. */
static uint32_t node_below(uint32_t node, uint32_t function)
{
    uint32_t *link = &nodes[node].child;
    for (uint32_t child = *link; child; link = &nodes[child].sibling, child = *link) {
        if (nodes[child].function == function) {
            *link = nodes[child].sibling;
            nodes[child].sibling = nodes[node].child;
            return nodes[node].child = child;
        }
    }
    for (uint32_t above = node; ; above = nodes[above].parent) {
        if (nodes[above].function == function) {
            return above;
        }
        if (nodes[above].parent == above) {
            break;
        }
    }
    if (node_count == MOST_NODES) { /* its cycles are those of its caller */
        return node;
    }
    uint32_t added = new_node(node, function);
    nodes[added].sibling = nodes[node].child;
    return nodes[node].child = added;
}
