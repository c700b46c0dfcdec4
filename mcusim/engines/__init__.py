"""Everything that can run a firmware."""

from __future__ import annotations

from mcusim.engines import host
from mcusim.engines.engine import Engine
from mcusim.engines.qemu import engine as qemu
from mcusim.engines.renode import engine as renode

ENGINES: dict[str, Engine] = {"host": host, "qemu": qemu, "renode": renode}
