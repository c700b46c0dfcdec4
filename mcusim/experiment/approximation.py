"""[approximation] of an experiment file: what of every model is skipped; and layers of which more or less is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, create_model, model_validator

from mcusim.approximate import APPROXIMATIONS
from mcusim.approximate.approximation import Compensation, Degree, Degrees, Significance, Wanted
from mcusim.experiment.quantization import entries
from mcusim.system.errors import Problems, suggestion
from mcusim.system.validation import Name, Place, Share, Table, Unusable, validate
from mcusim.training.settings import TuningSettings

SPELLINGS: Mapping[str, str] = {
    **dict.fromkeys(("dead", "remove_dead", "dead_filters"), "dead_channels"),
    **dict.fromkeys(("channel", "filters", "structured", "skip_channels"), "channels"),
    **dict.fromkeys(("perforation", "perforate", "pool_rows"), "rows"),
    **dict.fromkeys(("threshold", "operands", "unpacked"), "tau"),
}
Amount: Any = Annotated[int, Field(ge=0, le=2**31)] | Share
WANTED_AMOUNT = "a whole number, or a share of them: 0.25, and 1.0 for all"
WANTED_SHARE = "a share from 0 to 1: 0.005"
NAMES = tuple(approximation.NAME for approximation in APPROXIMATIONS)


def _kind(default: Degree) -> tuple[Any, str | None]:
    """Type and description of a key that has that one of APPROXIMATIONS."""
    if default is True:
        return bool, None
    return (Share, WANTED_SHARE) if isinstance(default, float) else (Amount, WANTED_AMOUNT)


def _keys(*, of_layer: bool) -> dict[str, Any]:
    """A key for each approximation. `of_layer`: what is not said is that of all layers."""
    keys: dict[str, Any] = {}
    for one in APPROXIMATIONS:
        kind, description = _kind(one.DEFAULT)
        default: Any = None if of_layer else one.DEFAULT
        keys[one.NAME] = (kind | None if of_layer else kind, Field(default=default, description=description))
    return keys


_OfLayer: Any = create_model("_OfLayer", __base__=Table, **_keys(of_layer=True))
_OfAll: Any = create_model("_OfAll", __base__=Table, **_keys(of_layer=False))


class LayerApproximation(_OfLayer):  # type: ignore[misc]
    """[[approximation.layer]]. What is left out is that of the others."""

    SYNONYMS: ClassVar[Mapping[str, str]] = {**SPELLINGS, **dict.fromkeys(("layer", "layers", "names"), "name")}

    name: Name

    @model_validator(mode="after")
    def _says_something(self) -> LayerApproximation:
        if all(getattr(self, name) is None for name in NAMES):
            raise Unusable(f"nothing is said of layer {self.name!r}", f"add one of {', '.join(NAMES)}")
        return self


class Approximation(_OfAll):  # type: ignore[misc]
    """[approximation]: of every layer where it can be, a key for each member of `mcusim/approximate/`.

    One that skips nothing is no mistake: it is where an exploration begins, and what others are compared with.
    `name`: what tells it from other [[approximation]] in reports. `model`: which one it is for; None for all.
    """

    SYNONYMS: ClassVar[Mapping[str, str]] = {
        **SPELLINGS,
        **dict.fromkeys(("criterion", "importance", "saliency", "ranking"), "significance"),
        **dict.fromkeys(("refit", "compensate", "least_squares"), "compensation"),
        **dict.fromkeys(("tune", "finetune", "fine_tuning", "finetuning", "distillation", "retrain"), "tuning"),
        "calibration_samples": "they are those that choose the scales: it belongs to [[quantization]]",
    }

    name: Name | None = None
    model: Name | None = None
    significance: Significance = "obs"
    compensation: Compensation = "least-squares"
    tuning: TuningSettings | None = Field(default=None, description="a table: [approximation.tuning]")
    layer: Annotated[tuple[LayerApproximation, ...], BeforeValidator(entries)] = Field(
        default=(), description="tables: [[approximation.layer]]"
    )

    @model_validator(mode="after")
    def _layers_once(self) -> Approximation:
        for name, count in Counter(entry.name for entry in self.layer).items():
            if count > 1:
                raise Unusable(f"layer {name!r} is there {count} times", "leave one")
        return self

    @property
    def steps(self) -> int:
        """In so many steps channels are skipped, with a tuning behind each."""
        return self.tuning.steps if self.tuning else 1

    def wanted(self, seed: int, step: int | None = None) -> Wanted:
        """`seed`: of what is left to chance. `step`: as much as is skipped when that one ends, from 1 on; None: all."""
        part = Fraction(step or self.steps, self.steps)
        degrees = {name: Degrees(getattr(self, name), self._of_layers(name), part) for name in NAMES}
        return Wanted(degrees, self.significance, self.compensation, seed)

    def _of_layers(self, name: str) -> dict[str, Degree]:
        return {entry.name: told for entry in self.layer if (told := getattr(entry, name)) is not None}


def approximations(told: Any, here: Place, problems: Problems, models: Sequence[str]) -> tuple[Approximation, ...]:
    """Of [approximation], or of several [[approximation]], which have names. `problems` collects what is wrong."""
    entries = [(here, told)] if isinstance(told, dict) else [(here.at(place), one) for place, one in enumerate(told)]
    found: list[Approximation] = []
    for place, table in entries:
        with problems.caught():
            one = validate(Approximation, table, place)
            if one.name is None and not isinstance(told, dict):
                raise place.error("an [[approximation]] has no name", "add one that tells it from the others: name")
            alike = [other.model for other in found if other.name == one.name]
            if None in alike or one.model in alike or (alike and one.model is None):
                raise place.at("name").error(f"there are two {one.name!r}", "give each a name of its own")
            if one.model is not None and one.model not in models:
                raise place.at("model").error(f"no model {one.model!r}", suggestion(one.model, models))
            found.append(one)
    return tuple(found)


def tunes(told: Any) -> bool:
    """Has [approximation], or one of several, a `tuning`? Models from files learn then, too."""
    entries = told if isinstance(told, list) else [told]
    return any(isinstance(table, dict) and "tuning" in table for table in entries)
