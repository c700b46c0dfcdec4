"""What engine `probe` is and can do."""

from mcusim.engines.engine import Facts, own_memory

FACTS = Facts(
    name="probe",
    title="a debug probe",
    summary="the real board, by its debug probe",
    transport="mailbox",
    memory_map=own_memory,
    measures=frozenset({"outputs", "cycles", "rom", "ram", "stack"}),
    silicon=True,
)
