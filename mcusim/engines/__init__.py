"""Everything that can run a firmware."""

from __future__ import annotations

from mcusim.engines import host, qemu, qemu_profile, renode, renode_profile
from mcusim.engines.engine import Engine, Profiler

ENGINES: dict[str, Engine] = {"host": host, "qemu": qemu, "renode": renode}

# What counts blocks, edges and cache events, for engines that measure cycles.
PROFILERS: dict[str, Profiler] = {"qemu": qemu_profile.profile, "renode": renode_profile.profile}
