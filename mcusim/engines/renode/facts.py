"""What engine `renode` is and can do."""

from mcusim.engines.engine import Facts, own_memory
from mcusim.engines.renode.install import install

FACTS = Facts(
    name="renode",
    title="Renode",
    summary="the board's own image, on a platform of the exact chip",
    transport="mailbox",
    memory_map=own_memory,
    measures=frozenset({"outputs", "instructions", "cycles", "rom", "ram", "stack"}),
    profiles=True,
    foreign=True,
    install=install,
)
