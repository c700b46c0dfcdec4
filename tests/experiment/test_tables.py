"""Tables that decide something by themselves."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from mcusim.experiment.quantization import Quantization
from mcusim.experiment.tables import DatasetChoice, TaskChoice
from mcusim.system.errors import ConfigurationError
from mcusim.system.validation import COMMAND_LINE, validate


def task(**told: Any) -> TaskChoice:
    return validate(TaskChoice, told, COMMAND_LINE)


def test_a_task_and_a_threshold_for_each_output() -> None:
    assert task(kind="regression").kinds_of(("a", "b")) == dict.fromkeys("ab", "regression")
    assert task(kind={"b": "none"}).kinds_of(("a", "b")) == {"a": None, "b": "none"}
    assert TaskChoice().kinds_of(("",)) == TaskChoice().thresholds_of(("",)) == {"": None}
    assert task(threshold=0.3).thresholds_of(("",)) == {"": 0.3}
    assert task(threshold={"a": 1.0}).thresholds_of(("a", "b")) == {"a": 1.0, "b": None}


@pytest.mark.parametrize("kind", ["clasification", {"a": "clasification"}])
def test_an_unknown_task(kind: Any) -> None:
    for refused in (
        lambda: task(kind=kind),
        lambda: validate(DatasetChoice, {"name": "d", "task": kind}, COMMAND_LINE),
    ):
        with pytest.raises(ConfigurationError, match="unknown task 'clasification'") as caught:
            refused()
        assert "classification" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("kind", "hint"), [("binary", "classification"), ("autoencoder", "anomaly"), ("regressor", "regression")]
)
def test_what_others_call_a_task(kind: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match="unknown task") as caught:
        task(kind=kind)
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("told", [{"threshold": float("nan")}, {"threshold": "high"}, {"top_k": 1}, {"top_k": 2.5}])
def test_what_cannot_be(told: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        task(**told)
    assert caught.value.hint


def test_an_output_that_the_model_has_not() -> None:
    with pytest.raises(ConfigurationError, match="kind is given for an output 'wher'") as caught:
        task(kind={"wher": "none"}).kinds_of(("who", "where"))
    assert caught.value.hint == "did you mean 'where'?"
    with pytest.raises(ConfigurationError, match="threshold is given for an output 'x'") as caught:
        task(threshold={"x": 0.5}).thresholds_of(("",))
    assert caught.value.hint == "it has one output, without a name: threshold = .."


def quantization(**written: Any) -> Quantization:
    return validate(Quantization, written, COMMAND_LINE)


def test_data_types_of_single_layers() -> None:
    chosen = quantization(data_type="int8", layers={"conv1": "int16", "logits": "int12"})
    assert chosen.layers == (("conv1", "int16"), ("logits", "int12"))
    assert chosen.label == "int8 conv1=int16 logits=int12"
    assert pickle.loads(pickle.dumps(chosen)) == chosen and hash(chosen)


WRONG = [
    ({"layers": {"a": "float64"}}, "unknown data type 'float64'"),
    ({"layers": {"a": 16}}, "layers"),
    ({"layers": ["a"]}, "layers"),
    ({"layers": {"a": "int8"}, "scheme": "per-network", "format": "Q7.1"}, "'layers' has no use"),
    ({"layer": [{"name": "a", "data_type": "int9"}], "scheme": "per-network", "format": "Q7.1"}, "'layer' has no use"),
    ({"layer": {"name": "a", "data_type": "int9"}}, "'layer' is|--layer is"),
    ({"layer": [{"data_type": "int9"}]}, "key 'name' is missing"),
    ({"layer": [{"name": "a"}]}, "nothing is said of layer 'a'"),
    ({"layer": [{"name": "a", "data_type": "float32", "scheme": "per-layer"}]}, "'scheme' of layer 'a' has no use"),
    ({"layer": [{"name": "a", "scheme": "per-network"}]}, "unknown scheme of a layer 'per-network'"),
    ({"layer": [{"name": "a", "kind": "int8"}]}, "unknown key 'kind'"),
    ({"layer": [{"name": "a", "data_type": "int9"}], "layers": {"a": "int16"}}, "layer 'a' is there 2 times"),
]


@pytest.mark.parametrize(("written", "what"), WRONG)
def test_data_types_that_cannot_be(written: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        quantization(data_type="int8", **written)
    with pytest.raises(ConfigurationError, match="float32 is not quantized"):
        quantization(data_type="float32", layers={"a": "int8"})


def test_a_layer_has_a_scheme_of_its_own() -> None:
    """What is not said is that of the network, where the layer's data type has it."""
    layer = [{"name": "a", "scheme": "per-layer"}, {"name": "b", "data_type": "w8a16"}, {"name": "c", "type": "int9"}]
    with pytest.raises(ConfigurationError, match="unknown key 'type'") as caught:
        quantization(data_type="int8", layer=layer)
    assert caught.value.hint and "data_type" in caught.value.hint
    layer[2] = {"name": "c", "data_type": "float32"}
    chosen = quantization(data_type="int8", layer=layer, layers={"d": "int12"})
    assert chosen.layer_words == {
        "a": ("int8", "per-layer"),
        "b": ("w8a16", "per-channel"),
        "c": ("float32", "per-layer"),
        "d": ("int12", "per-layer"),
    }
    assert chosen.label == "int8 d=int12 a=per-layer b=w8a16 c=float32" and chosen.short_label == "int8 mixed"
    assert pickle.loads(pickle.dumps(chosen)) == chosen and hash(chosen)


def test_outputs_are_of_16_bits_or_of_the_data_type() -> None:
    assert Quantization(data_type="int8", scheme="per-layer", output="int16").label == "int8 per-layer output int16"
    assert Quantization(data_type="int12", output="int12").output == "int12"
    for words in ({"data_type": "int8", "output": "int12"}, {"data_type": "int12", "output": "int16"}):
        with pytest.raises(ConfigurationError, match="has no outputs of"):
            validate(Quantization, words, COMMAND_LINE)


def test_a_run_is_called_by_what_of_its_quantization_differs() -> None:
    plain = Quantization(data_type="int8")
    paper = Quantization(data_type="int8", scheme="per-layer", ranges="max", weights="rounded", output="int8")
    mixed = Quantization(data_type="int8", layers=(("conv1", "int16"),))
    assert [entry.short_label for entry in (plain, paper, mixed)] == [
        "int8",
        "int8 per-layer max rounded output int8",
        "int8 mixed",
    ]
    assert mixed.label == "int8 conv1=int16"


def test_powers_of_two_may_be_called_so() -> None:
    entry = Quantization.model_validate(
        {"data_type": "int8", "scheme": "power-of-two", "layer": [{"name": "a", "scheme": "power-of-two"}]}
    )
    assert (entry.chosen_scheme, entry.layer[0].scheme) == ("per-layer", "per-layer")
