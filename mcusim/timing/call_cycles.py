"""Recording + what its edges and addresses cost -> CallCosts: the cycles of each call by the way it was reached."""

import bisect
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcusim.engines.counts import INTERRUPTS, MEASURED, TASKS, CallTree
from mcusim.timing.edge_cycles import EdgeCycles
from mcusim.timing.executions import summed, with_moved
from mcusim.timing.recording import Recording

OUTSIDE = {INTERRUPTS: "(interrupts)", TASKS: "(other tasks)"}  # roots of what is not the measured call


@dataclass(frozen=True)
class CallCost:
    """One node of the tree: `stack` are the functions from the measured one down to it.

    `own` cycles and those `with_calls`, and how often it was `called`: means over the samples.
    """

    stack: tuple[str, ...]
    own: float
    with_calls: float
    called: float


@dataclass(frozen=True)
class CallCosts:
    """`calls`: of the measured call, in the order of the tree; `outside` of it: of interrupts and other tasks."""

    calls: tuple[CallCost, ...] = ()
    outside: tuple[CallCost, ...] = ()

    @property
    def outside_cycles(self) -> Mapping[str, float]:
        """Of interrupts and of other tasks, for each of their functions that began there."""
        return {" ".join(call.stack[:2]): call.with_calls for call in self.outside if len(call.stack) == 2}


NO_CALLS = CallCosts()


def call_costs(recording: Recording, core: EdgeCycles, by_address: Mapping[int, float]) -> CallCosts:
    """Cycles of memory belong to instructions, not to calls: each execution of one takes the same share of them."""
    tree = recording.counts.tree
    if tree is None:
        return NO_CALLS
    own = _own_cycles(recording, tree, core, by_address)
    whole = list(own)
    for node in range(len(tree.nodes) - 1, -1, -1):
        parent = tree.nodes[node].parent
        if parent != node:
            whole[parent] += whole[node]
    stacks = _stacks(recording, tree)
    samples = recording.counts.samples
    found = [
        (tree.root_of(node), CallCost(stacks[node], own[node], whole[node], tree.nodes[node].calls / samples))
        for node in _depth_first(tree)
    ]
    measured = tuple(call for root, call in found if root == MEASURED)
    return CallCosts(measured, tuple(call for root, call in found if root != MEASURED and call.with_calls))


def _own_cycles(
    recording: Recording, tree: CallTree, core: EdgeCycles, by_address: Mapping[int, float]
) -> Sequence[float]:
    counts, code = recording.counts, recording.code
    memory = _memory_cycles(recording, core, by_address)
    of_block: dict[int, float] = {}
    children = {(node.parent, node.function): at for at, node in enumerate(tree.nodes) if node.parent != at}
    own = [0.0] * len(tree.nodes)
    measured = [tree.root_of(node) == MEASURED for node in range(len(tree.nodes))]
    for (node, edge), times in tree.tallies.items():
        to = counts.edges[edge].to
        if to not in of_block:
            of_block[to] = sum(memory.get(insn.address, 0.0) for insn in code.instructions(counts.blocks[to]))
        cost = int(core.totals[edge]) + (of_block[to] if measured[node] else 0.0)
        refill = core.refills[edge]
        own[node] += (cost - refill) * times / counts.samples
        if refill:
            branched = recording.entry_at(counts.blocks[counts.edges[edge].source].start)
            own[_branched_from(tree, children, node, branched)] += refill * times / counts.samples
    return own


def _branched_from(tree: CallTree, children: Mapping[tuple[int, int], int], node: int, function: int) -> int:
    """Whose branch led into a function: that of its caller, or of the one that returns to it; else its own."""
    parent = tree.nodes[node].parent
    if tree.nodes[node].function == function:
        return node
    return parent if tree.nodes[parent].function == function else children.get((node, function), node)


def _memory_cycles(recording: Recording, core: EdgeCycles, by_address: Mapping[int, float]) -> Mapping[int, float]:
    """What an execution of each instruction takes besides that of the core, as a mean."""
    counts, code = recording.counts, recording.code
    times = counts.edge_counts.mean(axis=0)
    items = core.executions.of(times > 0)
    moves = []
    for edge, target, branch, refill in core.branches(code, counts):
        moved = refill * float(times[edge])
        moves += [(edge, target, -moved), (edge, branch, moved)] if moved else []
    of_items = times[items.edges]
    executed = summed(items.addresses, of_items)
    of_core = summed(*with_moved(items, items.costs * of_items, moves))
    memory = {at: -of_core[at] for at in executed}
    addresses = sorted(executed)
    for address, cycles in by_address.items():  # a granule of flash may begin in the middle of an instruction
        at = bisect.bisect_right(addresses, address) - 1
        memory[addresses[max(at, 0)]] += cycles
    return {at: cycles / executed[at] for at, cycles in memory.items()}


def _stacks(recording: Recording, tree: CallTree) -> list[tuple[str, ...]]:
    stacks: list[tuple[str, ...]] = []
    for number, node in enumerate(tree.nodes):
        name = OUTSIDE.get(number) or recording.function_at(node.function)
        stacks.append((*(stacks[node.parent] if node.parent != number else ()), name))
    return stacks


def _depth_first(tree: CallTree) -> Sequence[int]:
    children: dict[int, list[int]] = defaultdict(list)
    for number, node in enumerate(tree.nodes):
        if node.parent != number:
            children[node.parent].append(number)
    order: list[int] = []
    waiting = [number for number, node in enumerate(tree.nodes) if node.parent == number][::-1]
    while waiting:
        order.append(waiting.pop())
        waiting += children[order[-1]][::-1]
    return order
