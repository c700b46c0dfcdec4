"""What engine `unicorn` is and can do."""

from mcusim.engines.engine import Facts, own_memory

FACTS = Facts(
    name="unicorn",
    title="Unicorn",
    summary="the core with all memory of the chip: no interrupts, no devices, no memory protection",
    transport="semihosting",
    memory_map=own_memory,
    measures=frozenset({"outputs", "instructions", "cycles", "rom", "ram", "stack"}),
    profiles=True,
    foreign=True,
    serial=True,
    has_registers=False,
)
