"""[cascade] of an experiment file: which model is asked first, which one then, and how sure the first has to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from mcusim.comparison.limits import read_limit
from mcusim.experiment.exploration import MaxDrop
from mcusim.experiment.tables import Model
from mcusim.system.validation import LONGEST_NAME, Name, Share, Table, Unusable


class Cascade(Table):
    """[cascade]. `first` and `then` are names of models of the file."""

    SYNONYMS: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("small", "little", "fast"), "first"),
        **dict.fromkeys(("second", "next", "big", "large"), "then"),
        **dict.fromkeys(("margin", "confidence", "limit"), "threshold"),
        **dict.fromkeys(("drop", "accuracy_drop", "loss"), "max_drop"),
        **dict.fromkeys(("validation_split", "val_split", "holdout"), "validation"),
    }

    first: Name
    then: Name = Field(description="the name of one model: a cascade has two networks")
    threshold: Annotated[float, Field(ge=0, le=1e30, allow_inf_nan=False)] | None = Field(
        default=None, description="a number from 0, in the units of the first model's answers"
    )
    max_drop: MaxDrop = Field(default=None, description='points or a share: "0.5pt"')
    validation: Share = Field(default=0.1, description="the share of training samples that judge, from 0 to 1")

    @property
    def drop(self) -> float | None:
        """How much accuracy it may lose against `then` alone, as a share."""
        return None if self.max_drop is None else read_limit("accuracy", self.max_drop).amount

    @model_validator(mode="after")
    def _one_of_both(self) -> Cascade:
        if (self.threshold is None) == (self.max_drop is None):
            hint = 'max_drop = "0.5pt" has one chosen on held-out training samples, threshold = 1.5 says it'
            raise Unusable("[cascade] needs either 'threshold' or 'max_drop'", hint)
        if self.first == self.then:
            raise Unusable(f"model {self.first!r} is there twice", "name another as 'then'")
        return self


def cascade_name(first: str, then: str) -> str:
    """What runs of both together are called."""
    return f"{first} -> {then}"[:LONGEST_NAME]


class Cascaded(Model):
    """What a [cascade] makes of two [[model]]: one more model, that no file has."""

    OF_OTHERS = True

    each: tuple[Model, Model]
    chosen: Cascade

    @classmethod
    def of(cls, each: tuple[Model, Model], chosen: Cascade) -> Cascaded:
        return cls(name=cascade_name(each[0].name, each[1].name), each=each, chosen=chosen)

    @property
    def networks(self) -> tuple[Model, ...]:
        return self.each

    @property
    def no_proof(self) -> str:
        return "of a cascade, whose networks are models of their own"
