"""Everything that can run a firmware."""

from mcusim.engines import host
from mcusim.engines.engine import Engine
from mcusim.engines.probe import engine as probe
from mcusim.engines.qemu import engine as qemu
from mcusim.engines.renode import engine as renode
from mcusim.engines.serial import engine as serial
from mcusim.engines.unicorn import engine as unicorn

ENGINES: dict[str, Engine] = {
    "host": host,
    "qemu": qemu,
    "renode": renode,
    "probe": probe,
    "unicorn": unicorn,
    "serial": serial,
}
