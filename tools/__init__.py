"""Benches and comparisons for us: not in the wheel."""
