"""Everything that can run a firmware."""

from __future__ import annotations

from mcusim.engines import host, qemu
from mcusim.engines.engine import Engine

ENGINES: dict[str, Engine] = {"host": host, "qemu": qemu}
