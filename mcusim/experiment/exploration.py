"""[explore] of an experiment file: which keys may have which values, and what is wanted of the figures."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator

from mcusim.comparison.limits import Limit, read_limit
from mcusim.reports.figures import REGRESS
from mcusim.system.validation import Count, Share, Table, Unusable, known, short

CROSS_ENTROPY = "cross_entropy"
AXES_OF = ("model", "quantization", "target", "approximation")  # the tables whose keys may be axes
WHOLE = ("model", "quantization", "board")  # an axis of such a name chooses among those of the file
# Keys of a table that are no axis: what to give instead.
INSTEAD = {"target.boards": 'board = ["nucleo_l452re_p", "sparkfun_edge"]', "target.engine": "--engine, for all points"}
MOST_VALUES, MOST_AXES = 1000, 200
Path = tuple[str, ...]
WANTED_AXES = 'a table of lists, for example "quantization.data_type" = ["int8", "int16"]'


def objective_names() -> tuple[str, ...]:
    """Figures that can get worse, by the names of [regress]; and one that only an exploration has."""
    return (*REGRESS, CROSS_ENTROPY)


def _read_axes(value: Any) -> Any:
    """Tables in each other -> ((path, values), ..). Raises Unusable."""
    if not isinstance(value, dict):
        return value
    return tuple((path, tuple(values)) for path, values in _flat(value, ()))


def _flat(table: Mapping[str, Any], above: Path) -> Iterator[tuple[Path, list[Any]]]:
    for key, value in table.items():
        path = (*above, *(key.split(".") if not above else (key,)))
        if isinstance(value, dict):
            yield from _flat(value, path)
        else:
            yield path, _values(path, value)


def _values(path: Path, value: Any) -> list[Any]:
    name = ".".join(path)
    if path[0] == "cascade":
        raise Unusable(f"axis {name!r}: a cascade cannot be explored", 'give max_drop = "0.5pt" in [cascade]')
    if name not in WHOLE and (path[0] not in AXES_OF or len(path) == 1):
        raise Unusable(f"axis {name!r} is no key of {', '.join(AXES_OF)}, and not 'board'", f"give {WANTED_AXES}")
    if name in INSTEAD:
        raise Unusable(f"axis {name!r}: a point has one board and one engine", f"give {INSTEAD[name]}")
    if not isinstance(value, list) or len(value) < 2:
        raise Unusable(
            f"axis {name!r} is {short(value)}: there is nothing to choose", "give a list of two values or more"
        )
    if len(value) > MOST_VALUES:
        raise Unusable(f"axis {name!r} has {len(value)} values", f"give at most {MOST_VALUES}")
    told = [json.dumps(one, sort_keys=True, default=str) for one in value]  # 1 filter and 1.0 of them are two values
    if len(set(told)) < len(told):
        raise Unusable(f"axis {name!r} has a value twice: {short(value)}", "name each once")
    try:
        json.dumps(value, allow_nan=False, default=str)
    except ValueError:
        raise Unusable(f"axis {name!r} has NaN or infinity: {short(value)}", "give numbers") from None
    return value


def _axes_schema(schema: dict[str, Any]) -> None:
    schema.clear()
    schema |= {"type": "object", "description": WANTED_AXES, "default": {}}


def _read_drop(value: Any) -> Any:
    return value if value is None else read_limit("accuracy", value).text


MaxDrop = Annotated[str | None, BeforeValidator(_read_drop, json_schema_input_type=str | float | None)]


class Explore(Table):
    """[explore]. `axes`: paths of keys, each with its values, of which the first is the base."""

    SYNONYMS: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("objective", "metrics", "optimize", "minimize", "maximize"), "objectives"),
        **dict.fromkeys(("algorithm", "strategy", "sampler", "method"), "search"),
        **dict.fromkeys(("trials", "n_trials", "budget", "iterations"), "evaluations"),
        **dict.fromkeys(("space", "parameters", "params", "search_space", "axis"), "axes"),
        **dict.fromkeys(("drop", "accuracy_drop", "loss"), "max_drop"),
        **dict.fromkeys(("population_size", "batch"), "population"),
        **dict.fromkeys(("validation_split", "val_split", "holdout"), "validation"),
    }

    objectives: tuple[str, ...] = Field(
        default=("accuracy", "latency_ms"), strict=False, description='a list of figures: ["accuracy", "latency_ms"]'
    )
    search: Literal["auto", "grid", "greedy", "evolution"] = "auto"
    evaluations: Count = 200
    population: Annotated[int, Field(ge=2, le=10_000)] = Field(default=16, description="a whole number from 2")
    validation: Share = Field(default=0.1, description="the share of training samples that judge, from 0 to 1")
    samples: Literal["all"] | Count = Field(default=1000, description='"all" or a whole number from 1')
    max_drop: MaxDrop = Field(default=None, description='points or a share: "0.5pt"')
    fidelity: Literal["estimate", "firmware"] = "firmware"
    test: bool = True
    tuning: bool = False
    axes: Annotated[tuple[tuple[Path, tuple[Any, ...]], ...], BeforeValidator(_read_axes)] = Field(
        default=(), description=WANTED_AXES, json_schema_extra=_axes_schema
    )

    @property
    def drop(self) -> Limit | None:
        """How much accuracy a point may lose against the base."""
        return None if self.max_drop is None else read_limit("accuracy", self.max_drop)

    @field_validator("objectives")
    @classmethod
    def _known(cls, objectives: tuple[str, ...]) -> tuple[str, ...]:
        if not objectives:
            raise Unusable("no objective is named", 'give for example ["accuracy", "latency_ms"]')
        for name in objectives:
            known(name, objective_names(), "objective")
        if len(set(objectives)) < len(objectives):
            raise Unusable(f"an objective is there twice: {list(objectives)}", "name each once")
        return objectives

    @field_validator("axes")
    @classmethod
    def _few(cls, axes: tuple[tuple[Path, tuple[Any, ...]], ...]) -> tuple[tuple[Path, tuple[Any, ...]], ...]:
        if len(axes) > MOST_AXES:
            raise Unusable(f"there are {len(axes)} axes", f"give at most {MOST_AXES}")
        paths = [path for path, _ in axes]
        twice = next((path for index, path in enumerate(paths) if path in paths[:index]), None)
        if twice:
            raise Unusable(f"axis {'.'.join(twice)!r} is there twice", "remove one")
        for path in paths:
            above = next((one for one in paths if 1 < len(one) < len(path) and one == path[: len(one)]), None)
            if above:
                what = f"axis {'.'.join(path)!r} is a part of another one, {'.'.join(above)!r}"
                raise Unusable(what, "remove one")
        return axes
