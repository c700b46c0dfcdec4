"""What runs: an image, where its samples go in, where its answers come out."""

from mcusim.workloads.foreign import ForeignElf
from mcusim.workloads.generated import GeneratedCode
from mcusim.workloads.workload import Workload

WORKLOADS: tuple[type[Workload], ...] = (GeneratedCode, ForeignElf)
