"""Every line of the assembly stands for something: known registers, labels that are there, words in small letters."""

from __future__ import annotations

import re

from mcusim.program import Routine

REGISTERS = {f"r{number}" for number in range(13)} | {f"s{number}" for number in range(32)} | {"sp", "lr", "pc"}
REGISTERS |= {f"d{number}" for number in range(16)} | {"APSR_nzcv", "fpscr"}
SHIFTS = {"lsl", "lsr", "asr", "ror", "rrx"}
CONDITIONS = {"eq", "ne", "cs", "cc", "mi", "pl", "hi", "ls", "ge", "lt", "gt", "le", "hs", "lo", "vs", "vc"}
MNEMONIC = re.compile(r"[a-z]+[a-z0-9]*(\.[a-z]\w*)*")
OPERAND = re.compile(r"#-?[0-9a-fx.e+]+|\.L\w+|[A-Za-z_]\w*")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
NO_WORDS = re.compile(r"\bNone\b|/\* *\*/|nan|XX")


def assert_sound(routine: Routine) -> None:
    """Of a word that nothing stands for an assembler makes a symbol, which a linker misses at best."""
    text = COMMENT.sub("", routine.assembly)
    assert not NO_WORDS.search(routine.assembly), routine.assembly
    named = dict(re.findall(r"^ +(\w+) +\.req +(\w+)$", re.sub(r" +$", "", text, flags=re.MULTILINE), re.MULTILINE))
    assert set(named.values()) <= REGISTERS and not REGISTERS & set(named), named
    labels = set(re.findall(r"^(\.L\w+):", text, re.MULTILINE))
    jumps = set()
    for line in text.splitlines():
        mnemonic, _, operands = line.strip().partition(" ")
        if not mnemonic or mnemonic.startswith(".") or line[0] != " " or ".req" in operands:
            continue
        assert MNEMONIC.fullmatch(mnemonic) and mnemonic not in REGISTERS | set(named), line
        assert all(base in REGISTERS | set(named) for base in re.findall(r"\[([^],\s]*)", operands)), line
        words = OPERAND.findall(operands)
        found = {word for word in words if word.startswith(".L")}
        jumps |= found
        known = REGISTERS | SHIFTS | set(named) | found
        known |= CONDITIONS if mnemonic.startswith("it") else set()
        assert all(word in known or word[0] == "#" for word in words), line
        assert words and mnemonic.startswith("b") >= bool(found), line
    assert jumps <= labels, jumps - labels
