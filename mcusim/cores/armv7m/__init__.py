"""What the cores of Armv7-M have in common: memory protection, faults, Thumb calls."""
