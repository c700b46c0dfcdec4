"""[[quantization.layer]] of an experiment file: a layer whose numbers are others than those of the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, model_validator

from mcusim.experiment.synonyms import SCHEME_SYNONYMS, TYPE_SYNONYMS
from mcusim.line.quantize import DATA_TYPES
from mcusim.numbers import DEFAULT_SCHEME, SCHEMES
from mcusim.system.validation import Name, Table, Unusable, known

LAYER_SCHEMES = tuple(scheme for scheme in SCHEMES if scheme != "per-network")
POWER_OF_TWO = "power-of-two"
TYPE_KEYS = ("dtype", "type", "datatype", "bits", "width", "precision")
SCHEME_KEYS = ("mode", "method", "granularity")


def layer_type(name: str) -> str:
    """`name`, when a single layer may have that data type."""
    return known(name, DATA_TYPES, "data type", TYPE_SYNONYMS)


def scheme_named(name: str, schemes: Iterable[str] = SCHEMES, what: str = "quantization scheme") -> str:
    """`name`, when it is one of `schemes`. Scales of each layer may be called what they are."""
    return known(DEFAULT_SCHEME if name == POWER_OF_TWO else name, schemes, what, SCHEME_SYNONYMS)


class LayerQuantization(Table):
    """What is left out is that of the network."""

    SYNONYMS: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(TYPE_KEYS, "data_type"),
        **dict.fromkeys(SCHEME_KEYS, "scheme"),
        **dict.fromkeys(("layer", "layers", "names"), "name"),
    }

    name: Name
    data_type: Annotated[str, AfterValidator(layer_type)] | None = Field(
        default=None, json_schema_extra={"enum": list(DATA_TYPES)}
    )
    scheme: (
        Annotated[str, AfterValidator(lambda name: scheme_named(name, LAYER_SCHEMES, "scheme of a layer"))] | None
    ) = Field(default=None, json_schema_extra={"enum": [*LAYER_SCHEMES, POWER_OF_TWO]})

    @model_validator(mode="after")
    def _says_something(self) -> LayerQuantization:
        if self.data_type is None and self.scheme is None:
            raise Unusable(f"nothing is said of layer {self.name!r}", "add data_type or scheme")
        if self.data_type == "float32" and self.scheme is not None:
            raise Unusable(f"float32 is not quantized: 'scheme' of layer {self.name!r} has no use", "remove it")
        return self

    @property
    def label(self) -> str:
        """`conv1=w8a16,per-tensor`."""
        return f"{self.name}={','.join(filter(None, (self.data_type, self.scheme)))}"
