"""What users write -> checked values, or the errors that say what is wrong, where, and what to write instead.

pydantic checks; `translate` is the only place where its errors become ours. A table is a class below `Table`: a field's
`description` says what its value should be, a validator that refuses one raises `Unusable`, a whole sentence.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mcusim.system.errors import ConfigurationError, suggestion, together
from mcusim.system.toml_file import KeyPath, describe, line_of

LONGEST_NAME = 100
LONGEST_SHOWN = 60

Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, le=1e18, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=2**31)]
Limit = Annotated[int, Field(ge=0, le=2**62)]
WANTED_BYTES = 'a whole number of bytes, or of KiB or MiB: "48 KiB"'
_FACTORS = {"": 1, "b": 1, "kib": 1024, "mib": 1024**2}


class Unusable(ValueError):
    """A value that cannot be, with what to write instead."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


class Table(BaseModel):
    """Keys and values as a user writes them: frozen, no key unknown, no value of another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=())
    UNKNOWN_KEY: ClassVar[str] = "unknown key {!r}"
    SYNONYMS: ClassVar[Mapping[str, str]] = {}  # what people write for a key -> the key, or what to do instead

    @classmethod
    def refusal(cls, key: str, spelled: str, value: Any, found: Mapping[str, Any]) -> Unusable:
        """What is said of a `value` that pydantic refused in the words of `found`."""
        wanted = _wanted(cls, key)
        hint = f"give {wanted}" if wanted else found["msg"].removeprefix("Input ")
        return Unusable(f"{spelled} is {short(value)}", hint)


Kind = TypeVar("Kind", bound=Table)


@dataclass(frozen=True)
class Place:
    """Where something was written: `name` is what a user calls it; in a file (its `text`) `keys` lead to it.

    `spelling`: how a key is written there, in the format language of Python.
    """

    name: str = ""
    text: str | None = None
    keys: tuple[str | int, ...] = ()
    spelling: str = "{!r}"

    def at(self, *keys: str | int) -> "Place":
        return replace(self, keys=(*self.keys, *keys))

    def error(self, what: str, hint: str | None = None) -> ConfigurationError:
        return ConfigurationError(what, where=str(self) or None, hint=hint or None)

    @contextmanager
    def located(self) -> Iterator[None]:
        """What is Unusable inside is a ConfigurationError that names this place."""
        try:
            yield
        except Unusable as error:
            raise self.error(str(error), error.hint) from None

    @property
    def line(self) -> int | None:
        """In the file, where this is one."""
        return None if self.text is None else line_of(self.text, self.keys)

    def __str__(self) -> str:
        """`test.toml:12, model[1].keep`; a place that is no file is named, and no more."""
        if self.text is None:
            return self.name
        place = f"{self.name}:{self.line}" if self.line else self.name
        return f"{place}, {describe(self.keys)}" if self.keys else place


COMMAND_LINE = Place(spelling="--{}")


def validate(kind: type[Kind], table: Mapping[str, Any], place: Place, **given: Any) -> Kind:
    """`table` as a `kind`. `given`: keys that the caller knows and no user writes.

    Raises ConfigurationError: all that `translate` finds.
    """
    try:
        return kind.model_validate({**table, **given})
    except ValidationError as error:
        raise together(translate(kind, error, table, place, given)) from None


def translate(
    kind: type[Table], error: ValidationError, table: Mapping[str, Any], place: Place, given: Iterable[str] = ()
) -> list[ConfigurationError]:
    """All that is wrong with `table`, each thing once. There is at least one.

    An unknown key comes first: it is most often the misspelling of the one that is missing.
    """
    found = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    once: dict[tuple[str, str | None], ConfigurationError] = {}
    for told in (_told(kind, one, table, place, given) for one in found):
        once.setdefault((told.what, told.where), told)
    return list(once.values())


def known(name: str, names: Iterable[str], what: str, synonyms: Mapping[str, str] | None = None) -> str:
    """`name`, when it is one of `names`."""
    if name not in names:
        raise Unusable(f"unknown {what} {name!r}", suggestion(name, names, synonyms))
    return name


def _told(
    kind: type[Table], found: Mapping[str, Any], table: Mapping[str, Any], place: Place, given: Iterable[str]
) -> ConfigurationError:
    keys = _written(found["loc"], table)
    if found["type"] == "missing":
        key = str(found["loc"][-1])
        return place.at(*keys, key).error(f"key {key!r} is missing", f"add {key} = ...")
    here = place.at(*keys)
    cause = found.get("ctx", {}).get("error")
    if isinstance(cause, ValueError):
        return here.error(str(cause), getattr(cause, "hint", None))
    while keys and isinstance(keys[-1], int):  # an entry of a list is told by the name of the list
        keys = keys[:-1]
    key, owner = str(keys[-1]) if keys else "", _table_at(kind, keys[:-1])
    if found["type"] == "extra_forbidden":
        hint = suggestion(key, set(owner.model_fields) - set(given), owner.SYNONYMS)
        return here.error(owner.UNKNOWN_KEY.format(key), hint)
    value: Any = table
    for step in keys:
        value = value[step]
    refusal = owner.refusal(key, place.spelling.format(key), value, found)
    return here.error(str(refusal), refusal.hint)


def _written(location: Sequence[str | int], table: Any) -> list[str | int]:
    """The part of a location that is in the user's table: pydantic also names the arm of a union, for example."""
    keys: list[str | int] = []
    for key in location:
        is_there = key in table if isinstance(table, Mapping) else isinstance(table, list) and isinstance(key, int)
        if not is_there:
            break
        keys.append(key)
        table = table[key]
    return keys


def _table_at(kind: type[Table], keys: KeyPath) -> type[Table]:
    """What the table at `keys` below a `kind` is; the name of a table in a table of them is stepped over."""
    for key in keys:
        field = kind.model_fields.get(str(key))
        inside = [field.annotation, *get_args(field.annotation)] if field else []
        kind = next((one for one in inside if isinstance(one, type) and issubclass(one, Table)), kind)
    return kind


def _wanted(kind: type[Table], key: str) -> str:
    """What the value of a key should be, where that is written down; else nothing."""
    field = kind.model_fields.get(key)
    if field is None:
        return ""
    choices = get_args(field.annotation)
    are_words = all(isinstance(choice, str) for choice in choices)
    return field.description or (" or ".join(map(repr, choices)) if are_words else "")


def short(value: Any) -> str:
    """As it is shown in an error."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        text = "a number of very many digits"
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "..."


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
