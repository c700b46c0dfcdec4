"""Image -> the bytes of its flash, as a programmer writes them: gaps between sections are 0, as in the .bin of objcopy.

They go from the vectors to the end of .data, as `mcusim_flash_start` and `mcusim_flash_end` of the linker script do.
"""

from mcusim.system.elf import reading
from mcusim.system.image import Image


def flash_bytes(image: Image) -> bytes:
    """Of an image that lies in flash as on the board itself. Raises BuildError when it cannot be read."""
    start = image.symbols["mcusim_vectors"].address
    with reading(image.elf) as elf:
        segments = [(int(segment["p_paddr"]), segment.data()) for segment in elf.iter_segments("PT_LOAD")]
    in_flash = [(at - start, data) for at, data in segments if data and at + len(data) > start]
    found = bytearray(max(at + len(data) for at, data in in_flash))
    for at, data in in_flash:
        found[max(at, 0) : at + len(data)] = data[max(-at, 0) :]
    return bytes(found)
