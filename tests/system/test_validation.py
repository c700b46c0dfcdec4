"""What users write is checked once, and every mistake is told with what, where and what to write instead."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError, field_validator, model_validator

from mcusim.system.errors import ConfigurationError
from mcusim.system.validation import (
    COMMAND_LINE,
    Count,
    Place,
    Share,
    Table,
    Unusable,
    known,
    translate,
    validate,
)


class Inner(Table):
    depth: Count
    kind: Literal["round", "flat"] = "round"


class Outer(Table):
    name: str
    size: Count = 1
    share: Share | None = Field(default=None, description="a share, for example 0.5")
    either: Literal["all"] | Count = "all"
    sizes: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(), strict=False)
    inner: Inner | None = None
    several: dict[str, Inner] = Field(default={})
    rows: list[Inner] = Field(default=[])

    @field_validator("size")
    @classmethod
    def _even(cls, size: int) -> int:
        if size == 13:
            raise Unusable("13 brings bad luck", "take 12")
        return size

    @model_validator(mode="after")
    def _fits(self) -> Outer:
        if self.name == "big" and self.size < 10:
            raise ValueError("'big' is small")
        return self


TEXT = """\
[outer]
name = "x"
size = 3
sizes = [1, 2]

[outer.inner]
depth = 2

[[outer.rows]]
depth = 1
"""
FILE = Place("test.toml", TEXT, ("outer",))


def mistakes(table: dict[str, Any], place: Place = FILE, **given: Any) -> list[ConfigurationError]:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({**table, **given})
    return translate(Outer, caught.value, table, place, given)


def test_a_good_table() -> None:
    read = validate(Outer, {"name": "x", "sizes": [1, 2], "inner": {"depth": 2}}, FILE)
    assert (read.name, read.size, read.sizes, read.inner) == ("x", 1, (1, 2), Inner(depth=2))


TOLD = [  # table, what, where, hint
    ({"size": 1}, "key 'name' is missing", "test.toml:2, outer.name", "add name = ..."),
    ({"name": "x", "sise": 1}, "unknown key 'sise'", "test.toml:1, outer.sise", "did you mean 'size'?"),
    ({"name": "x", "size": 0}, "'size' is 0", "test.toml:3, outer.size", "should be greater than or equal to 1"),
    ({"name": "x", "share": 7}, "'share' is 7", "test.toml:1, outer.share", "give a share, for example 0.5"),
    ({"name": "x", "size": 13}, "13 brings bad luck", "test.toml:3, outer.size", "take 12"),
    ({"name": "big"}, "'big' is small", "test.toml:1, outer", None),
    ({"name": "x", "inner": {}}, "key 'depth' is missing", "test.toml:7, outer.inner.depth", "add depth = ..."),
    (
        {"name": "x", "inner": {"depth": 1, "deep": 2}},
        "unknown key 'deep'",
        "test.toml:6, outer.inner.deep",
        "did you mean 'depth'?",
    ),
    (
        {"name": "x", "several": {"a": {"depth": 1, "kind": "flt"}}},
        "'kind' is 'flt'",
        "test.toml:1, outer.several.a.kind",
        "give 'round' or 'flat'",
    ),
    (
        {"name": "x", "rows": [{"depth": "deep"}]},
        "'depth' is 'deep'",
        "test.toml:10, outer.rows[0].depth",
        "should be a valid integer",
    ),
    (
        {"name": "x", "sizes": [1, 0]},
        "'sizes' is [1, 0]",
        "test.toml:4, outer.sizes[1]",
        "should be greater than or equal to 1",
    ),
]


@pytest.mark.parametrize(("table", "what", "where", "hint"), TOLD)
def test_every_kind_of_mistake(table: dict[str, Any], what: str, where: str, hint: str | None) -> None:
    with pytest.raises(ConfigurationError) as caught:
        validate(Outer, table, FILE)
    assert (caught.value.what, caught.value.where, caught.value.hint) == (what, where, hint)
    [only] = mistakes(table)
    assert str(only) == str(caught.value)


def test_all_mistakes_of_a_table_unknown_keys_first() -> None:
    """The unknown one is most often the misspelling of the missing one."""
    told = [one.what for one in mistakes({"nmae": "x", "size": 0, "inner": {"depth": 0}})]
    assert told == ["unknown key 'nmae'", "key 'name' is missing", "'size' is 0", "'depth' is 0"]


def test_a_value_that_fits_no_arm_of_a_union_is_told_once() -> None:
    """pydantic tells of each arm, with a name of its own that is no key of the file."""
    [only] = mistakes({"name": "x", "either": "some"})
    assert (only.what, only.where) == ("'either' is 'some'", "test.toml:1, outer.either")


def test_what_the_caller_gives_is_not_suggested() -> None:
    [only] = mistakes({"names": 1}, name="x")
    assert only.hint == "known: either, inner, rows, several, share, size, sizes"
    assert validate(Outer, {"size": 2}, FILE, name="x").name == "x"


def test_long_values_are_cut() -> None:
    [only] = mistakes({"name": "x", "size": "9" * 1000})
    assert len(only.what) < 80 and only.what.endswith("9...")


def test_places() -> None:
    assert str(FILE.at("rows", 0)) == "test.toml:9, outer.rows[0]"
    assert str(Place("test.toml", TEXT)) == "test.toml" and str(Place("test.toml", "", ("x",))) == "test.toml, x"
    assert str(Place("[training]").at("epochs")) == "[training]"
    assert COMMAND_LINE.error("no").where is None


def test_words_of_a_command_line_are_spelled_as_options() -> None:
    with pytest.raises(ConfigurationError, match=r"^--share is 'x'") as caught:
        validate(Outer, {"name": "x", "share": "x"}, COMMAND_LINE)
    assert caught.value.where is None


def test_what_is_unusable_inside_a_place_is_told_with_it() -> None:
    with pytest.raises(ConfigurationError) as caught, FILE.at("size").located():
        known("qmeu", ["qemu", "host"], "engine")
    told = (caught.value.what, caught.value.where, caught.value.hint)
    assert told == ("unknown engine 'qmeu'", "test.toml:3, outer.size", "did you mean 'qemu'?")


def test_tables_are_frozen_and_can_be_keys() -> None:
    inner = Inner(depth=1)
    with pytest.raises(ValidationError, match="frozen"):
        inner.depth = 2
    assert {inner: 1}[Inner(depth=1)] == 1
