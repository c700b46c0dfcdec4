"""What files of a format may be made of: tables for `mcusim layers`, written from what the format's reader looks up."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Listing:
    """`what` is in each row, by name; cells stand under `columns`. `words`: what some of these mean."""

    what: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[str, ...]]
    words: Mapping[str, str] = field(default_factory=dict)
