"""A number of bytes as users write it -> an int."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

from mcusim.system.validation import Count, Limit, Unusable

WANTED_BYTES = 'a whole number of bytes, or of KiB or MiB: "48 KiB"'
_FACTORS = {"": 1, "b": 1, "kib": 1024, "mib": 1024**2}


def read_bytes(value: Any) -> Any:
    """`"48 KiB"` -> 49152; what is no text stays as it is. Raises Unusable for any other text."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*([0-9]{1,12})\s*([A-Za-z]*)\s*", value)
    if match is None or match[2].lower() not in _FACTORS:
        raise Unusable(f"{value!r} is no number of bytes", f"give {WANTED_BYTES}")
    return int(match[1]) * _FACTORS[match[2].lower()]


Bytes = Annotated[Count | None, BeforeValidator(read_bytes, json_schema_input_type=Count | str | None)]
BytesFromZero = Annotated[Limit | None, BeforeValidator(read_bytes, json_schema_input_type=Limit | str | None)]
