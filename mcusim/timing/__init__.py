"""Execution + firmware + chip -> cycles: an instruction-level model of the Cortex-M4F and its memory."""
