"""Which mcusim this is. Here and not in `mcusim/__init__.py`, which imports what the package shows to scripts."""

VERSION = "0.1.0"
