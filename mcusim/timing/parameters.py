"""The numbers of the core's timing, in one place: those of Arm's manual, and the free ones with bounds and source.

Free are those that the manual leaves open. docs/timing.md tells what each was decided by.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Free:
    """Bounds and origin of a parameter that no manual fixes."""

    low: float
    high: float
    source: str


@dataclass(frozen=True)
class CoreParameters:
    """Cycles of a Cortex-M4F at zero wait states. TRM is Arm DDI 0439D, table 3-1 and 7-1, section 3.3.2."""

    load: int = 2  # TRM: LDR 2, one less behind another load (pairing)
    store: int = 1  # TRM 3.3.2: STR with immediate offset is always one
    store_register_offset: int = 2  # TRM 3.3.2: nothing pairs behind it
    transfer: int = 1  # TRM: LDM, STM, LDRD, STRD take 1 + N
    divide: int = 6  # TRM: 2..12 by the operands, which a profile does not know
    divide_low: int = 2
    divide_high: int = 12
    table_branch: int = 2  # TRM: TBB, TBH 2 + P, at least 6 with the refill
    system: int = 2  # TRM: MRS, MSR, CPS 1 or 2
    barrier: int = 1  # TRM: 1 + B
    sleep: int = 1  # TRM: WFI, WFE take 1 + W: how long it sleeps, a profile does not know
    exception: int = 12  # TRM 3.9: from the request to the handler, without wait states
    fp_result: int = 1  # TRM 7.2.3: the next instruction waits one cycle for an arithmetic result
    fp_mac: int = 3  # TRM table 7-1
    fp_slow: int = 14  # TRM table 7-1: VDIV, VSQRT
    fp_move_2: int = 2  # TRM table 7-1: two core registers
    queue_words: int = 3  # TRM: the prefetch unit holds three words

    # Free: name and default here, the rest in FREE.
    fp_move: int = 1
    refill_direct: int = 1
    refill_indirect: int = 2
    refill_load: int = 3
    address_after_alu: int = 1
    address_after_load: int = 1
    load_after_store: int = 0
    store_hides_load: int = 1
    pair_behind_write_back: int = 1
    literal_load: int = 0
    pair_same_memory: int = 1
    not_taken_fetch: int = 1
    mac_overlap: int = 2
    fold_it: int = 1
    nop_hidden: int = 1
    unknown: int = 1

    def refill(self, branch: str) -> int:
        """P of a taken branch, by how it leaves the straight line (`Instruction.branch`)."""
        return {"direct": self.refill_direct, "indirect": self.refill_indirect}.get(branch, self.refill_load)


FREE = {
    "fp_move": Free(1, 2, "TRM table 7-1: 1 or 2 for one core register and one single; decided by ML-KEM, m4fspeed"),
    "refill_direct": Free(1, 3, "TRM: P is 1 to 3; SUBS/BNE measured at 3 cycles a turn on Apollo3 (AmbiqSuite)"),
    "refill_indirect": Free(1, 3, "TRM: P is 1 to 3; decided by ML-KEM: 3 doubles its error"),
    "refill_load": Free(2, 3, "TRM 3.3.2: LDR PC takes at least 5, TBB at least 6"),
    "address_after_alu": Free(0, 1, "TRM 3.3.2, and measured by jnk0le: an address has to be there one cycle early"),
    "address_after_load": Free(0, 1, "as address_after_alu; GCC's description of the core says 0"),
    "load_after_store": Free(0, 1, "measured by jnk0le: one more; decided by ML-KEM: 0, once SRAM3 has its own rule"),
    "store_hides_load": Free(0, 1, "measured by jnk0le: 2 for the pair; TRM 3.3.2: 3; decided by ML-KEM and pqm4"),
    "pair_behind_write_back": Free(
        0, 1, "jnk0le: no chain on one base; decided by ST's kws (MLPerf Tiny v1.2): else +9 %"
    ),
    "literal_load": Free(0, 1, "TRM 3.3.2: a load from the literal pool can cost one more, the fetches are in its way"),
    "pair_same_memory": Free(0, 1, "measured by jnk0le: loads pair only while all go to the same memory"),
    "not_taken_fetch": Free(0, 1, "measured by jnk0le: a branch not taken can take 2; its target took a fetch"),
    "mac_overlap": Free(0, 2, "GCC: integer instructions overlap all but one cycle; no row decides, nor over VLDR"),
    "fold_it": Free(0, 1, "TRM table 3-1: IT is folded onto a preceding 16-bit instruction"),
    "nop_hidden": Free(0, 1, "measured by jnk0le: a load absorbs a NOP behind it"),
}
CORTEX_M4F = CoreParameters()
