"""Everything that can run a firmware."""

from __future__ import annotations

from mcusim.engines import host
from mcusim.engines.engine import Engine, Profiler
from mcusim.engines.qemu import engine as qemu
from mcusim.engines.qemu import profile as qemu_profile
from mcusim.engines.renode import engine as renode
from mcusim.engines.renode import profile as renode_profile

ENGINES: dict[str, Engine] = {"host": host, "qemu": qemu, "renode": renode}

# What counts blocks, edges and cache events, for engines that measure cycles.
PROFILERS: dict[str, Profiler] = {"qemu": qemu_profile.profile, "renode": renode_profile.profile}
