"""[[quantization]] of an experiment file: a data type, and how its scales are chosen; and layers with other numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from mcusim.experiment.synonyms import SCHEME_SYNONYMS, TYPE_SYNONYMS
from mcusim.line import quantize
from mcusim.numbers import DEFAULT_SCHEME, SCHEMES, affine_scheme
from mcusim.numbers.factors import Rescale
from mcusim.numbers.formats import MAXIMUM_UNSIGNED_BITS, Format, parse_format
from mcusim.numbers.learned import Learned
from mcusim.numbers.numbers import Ranges
from mcusim.system.errors import ConfigurationError
from mcusim.system.validation import Count, Name, Place, Table, Unusable, known, validate
from mcusim.training.settings import AwareSettings

LAYER_SCHEMES = tuple(scheme for scheme in SCHEMES if scheme != "per-network")
POWER_OF_TWO = "power-of-two"
TYPE_KEYS = ("dtype", "type", "datatype", "bits", "width", "precision")
SCHEME_KEYS = ("mode", "method", "granularity")
WORDS = ("rounding", "rescale", "ranges", "weights")  # which a label repeats as they are


def layer_type(name: str) -> str:
    """`name`, when a single layer may have that data type."""
    return known(name, quantize.DATA_TYPES, "data type", TYPE_SYNONYMS)


def scheme_named(name: str, schemes: Iterable[str] = SCHEMES, what: str = "quantization scheme") -> str:
    """`name`, when it is one of `schemes`. Scales of each layer may be called what they are."""
    return known(DEFAULT_SCHEME if name == POWER_OF_TWO else name, schemes, what, SCHEME_SYNONYMS)


class LayerQuantization(Table):
    """[[quantization.layer]]. What is left out is that of the network."""

    SYNONYMS: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(TYPE_KEYS, "data_type"),
        **dict.fromkeys(SCHEME_KEYS, "scheme"),
        **dict.fromkeys(("layer", "layers", "names"), "name"),
    }

    name: Name
    data_type: Annotated[str, AfterValidator(layer_type)] | None = Field(
        default=None, json_schema_extra={"enum": list(quantize.DATA_TYPES)}
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


def _pairs(table: Any) -> Any:
    """A table of TOML -> pairs, which are a value; pydantic sees to what is no table."""
    return tuple(table.items()) if isinstance(table, dict) else table


def entries(tables: Any) -> Any:
    """An array of TOML -> what cannot be changed; pydantic sees to what is none."""
    return tuple(tables) if isinstance(tables, list) else tables


def _types_by_layer(schema: dict[str, Any]) -> None:
    """As a table, which is how it is written."""
    del schema["items"], schema["default"]
    schema |= {"type": "object", "additionalProperties": {"enum": list(quantize.DATA_TYPES)}}


class Quantization(Table):
    """[[quantization]]: a data type and how its scales are chosen."""

    SYNONYMS: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(TYPE_KEYS, "data_type"),
        **dict.fromkeys(("samples", "calibration", "representative_samples"), "calibration_samples"),
        **dict.fromkeys(("round", "rounding_mode"), "rounding"),
        **dict.fromkeys(("q", "fixed_point", "qformat"), "format"),
        **dict.fromkeys(SCHEME_KEYS, "scheme"),
    }

    data_type: Annotated[
        str,
        AfterValidator(lambda name: known(name, quantize.DATA_TYPE_WORDS, "data type", TYPE_SYNONYMS)),
        Field(json_schema_extra={"enum": list(quantize.DATA_TYPE_WORDS)}),
    ]
    scheme: Annotated[str, AfterValidator(scheme_named)] | None = Field(
        default=None, json_schema_extra={"enum": [*SCHEMES, POWER_OF_TWO]}
    )
    format: str | None = None
    rounding: Literal["nearest", "floor"] = "nearest"
    rescale: Rescale = "double"
    ranges: Ranges = "mse"
    weights: Literal["fitted", "rounded"] = "fitted"
    equalize: bool = False
    output: str | None = Field(default=None, description='"int16", or the data type itself')
    calibration_samples: Count = 1000
    layers: Annotated[tuple[tuple[Name, str], ...], BeforeValidator(_pairs)] = Field(
        default=(), description='a table, for example { conv1 = "int16" }', json_schema_extra=_types_by_layer
    )
    layer: Annotated[tuple[LayerQuantization, ...], BeforeValidator(entries)] = Field(
        default=(), description="tables: [[quantization.layer]]"
    )

    @field_validator("layers")
    @classmethod
    def _known_types(cls, layers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        for _, name in layers:
            layer_type(name)
        return layers

    @model_validator(mode="after")
    def _format_fits(self) -> Quantization:
        if not self.is_quantized:
            fits = {"data_type"} if self.data_type == "float32" else {"data_type", "rescale"}
            extra = sorted(self.model_fields_set - fits)
            if extra:
                hint = "remove it, or choose an integer type"
                told = (
                    "float32 is not quantized"
                    if self.data_type == "float32"
                    else f"{quantize.AS_STORED!r} changes no numbers"
                )
                raise Unusable(f"{told}: {extra[0]!r} has no use", hint)
        elif self.output not in (None, self.data_type, *self._wider_outputs):
            words = " or ".join(repr(name) for name in dict.fromkeys((*self._wider_outputs, self.data_type)))
            raise Unusable(f"{self.data_type} has no outputs of {self.output!r}", f"output = {words}, or leave it out")
        elif self.chosen_scheme == "per-network":
            _check_format(self.format, quantize.INTEGER_TYPES[self.data_type], self.data_type)
            if self.own_layers:
                key = "layers" if self.layers else "layer"
                raise Unusable(
                    f"one format is for the whole network: {key!r} has no use", "leave scheme and format out"
                )
        elif self.format is not None:
            hint = "add scheme = 'per-network', or remove it"
            raise Unusable(f"{self.data_type} {self.chosen_scheme} takes no format", hint)
        if self.is_quantized:
            self._check_schemes()
        return self

    def _check_schemes(self) -> None:
        _once(entry.name for entry in self.own_layers)
        schemes = {self.chosen_scheme, *(scheme for _, scheme in self.layer_words.values())}
        if "rescale" in self.model_fields_set and not schemes & {*affine_scheme.SCHEMES}:
            what = f"scheme {self.chosen_scheme!r} rescales by shifts: 'rescale' has no use"
            raise Unusable(what, "leave it out, or choose scheme = 'per-channel'")
        try:
            made = quantize.make_scheme(self.data_type, self.chosen_scheme, self.fraction, self.rounding)
            others = [quantize.scheme_of_layer(*words, self.rounding) for words in self.layer_words.values()]
            for scheme in (made, *filter(None, others)):
                quantize.demand_ranges(scheme, self.ranges)
        except ConfigurationError as error:
            raise Unusable(error.what, error.hint or "") from None

    @property
    def chosen_scheme(self) -> str:
        """`scheme`; where nothing is said that of the data type, unless only powers of two have what is asked for."""
        if self.scheme is not None:
            return self.scheme
        asks_for_powers = self.rounding != "nearest" or self.output == quantize.WIDE_OUTPUT
        return DEFAULT_SCHEME if asks_for_powers else quantize.default_scheme(self.data_type)

    def asks_for(self, learned: Learned) -> bool:
        """Are these the integers that a model was trained for? Whatever else is said of them makes them others."""
        if (self.data_type, self.chosen_scheme) != (learned.data_type, learned.scheme):
            return False
        plain = Quantization(data_type=self.data_type, scheme=self.chosen_scheme, format=self.format)
        ignored = {"scheme": self.chosen_scheme, "calibration_samples": plain.calibration_samples}
        return self.model_copy(update=ignored) == plain

    @property
    def own_layers(self) -> tuple[LayerQuantization, ...]:
        """Layers of other numbers, wherever they are written."""
        short = (LayerQuantization(name=name, data_type=data_type) for name, data_type in self.layers)
        return (*short, *self.layer)

    @property
    def layer_words(self) -> dict[str, tuple[str, str]]:
        """Data type and scheme of these, by name."""
        return {
            entry.name: (entry.data_type or self.data_type, entry.scheme or self._scheme_of(entry))
            for entry in self.own_layers
        }

    def _scheme_of(self, entry: LayerQuantization) -> str:
        """That of the network, where the layer's data type has it."""
        has = quantize.has_scheme(entry.data_type or self.data_type, self.chosen_scheme)
        return self.chosen_scheme if has else DEFAULT_SCHEME

    @property
    def is_quantized(self) -> bool:
        """Does mcusim quantize the model?"""
        return self.data_type in quantize.INTEGER_TYPES

    @property
    def _wider_outputs(self) -> tuple[str, ...]:
        """What sums at the end of the model may be stored as, besides the data type."""
        narrow = self.chosen_scheme == "per-layer" and quantize.INTEGER_TYPES[self.data_type] <= MAXIMUM_UNSIGNED_BITS
        return (quantize.WIDE_OUTPUT,) if narrow else ()

    @property
    def reading(self) -> tuple[object, ...]:
        """What of it decides over how a model is read, and its samples are normalized."""
        return self.rescale, self.equalize

    @property
    def fraction(self) -> int | None:
        """Fraction bits of the whole network; None per layer."""
        return None if self.format is None else _parsed(self.format).fraction

    @property
    def label(self) -> str:
        """`int16 Q7.9 floor conv1=int8`: the data type, and what differs from the default."""
        return self._labelled(*(entry.label for entry in self.own_layers))

    @property
    def short_label(self) -> str:
        """The same for a column of a table: layers of other types make it `mixed`."""
        return self._labelled("mixed" if self.own_layers else "")

    def _labelled(self, *of_layers: str) -> str:
        default = quantize.default_scheme(self.data_type)
        scheme = self.format or (self.chosen_scheme if self.chosen_scheme != default else "")
        fields = Quantization.model_fields
        words = [word for name in WORDS if (word := getattr(self, name)) != fields[name].default]
        equalized = "equalized" if self.equalize else ""
        output = f"output {self.output}" if self.output else ""
        samples = f"calibration {self.calibration_samples}" if self.calibration_samples != 1000 else ""
        return " ".join(filter(None, (self.data_type, scheme, *words, equalized, output, samples, *of_layers)))


FLOAT = Quantization(data_type="float32")


def trained_for(asked: AwareSettings, place: Place = Place("[training.quantization]")) -> Quantization:  # noqa: B008
    """[training.quantization] as a [[quantization]]. ConfigurationError for one that nobody has."""
    words = {"data_type": asked.data_type, "scheme": asked.scheme, "equalize": asked.equalize}
    # What was left out is not told as if it had been written.
    chosen = validate(Quantization, {key: word for key, word in words.items() if word}, place)
    if not chosen.is_quantized:
        raise place.error(f"data_type is {chosen.data_type!r}", 'give a type of integers, for example "int8"')
    return chosen


def _once(names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise Unusable(f"layer {name!r} is there {count} times", "leave one")


def _parsed(text: str) -> Format:
    try:
        return parse_format(text)
    except ConfigurationError as error:
        raise Unusable(error.what, error.hint or "") from None


def _check_format(text: str | None, bits: int, data_type: str) -> None:
    example = f"for example format = 'Q{bits - bits // 2}.{bits // 2}'"
    if text is None:
        raise Unusable(f"{data_type} per-network needs a format", example)
    if _parsed(text).bits != bits:
        raise Unusable(f"format {text!r} has {_parsed(text).bits} bits, {data_type} has {bits}", example)
