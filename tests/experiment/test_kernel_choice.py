"""Which kernels may run a layer: as TOML says it, and only such as there are."""

from __future__ import annotations

import pickle
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from mcusim.experiment.kernel_choice import KernelChoice, check_kernels, kernel_names
from mcusim.experiment.tables import Target
from mcusim.system.errors import ConfigurationError
from mcusim.system.validation import Place, Unusable, validate


def choose(written: Any) -> KernelChoice:
    return validate(Target, {"kernels": written}, Place("[target]")).kernels


def test_auto_is_any_kernel() -> None:
    assert choose("auto") == choose({}) == choose({"default": "auto"}) == Target().kernels
    assert choose("auto").for_layer("conv1") == () and choose("auto").names == ()


def test_names_in_order_for_all_layers_or_for_one() -> None:
    assert choose("plain").for_layer("conv1") == ("plain",)
    assert choose(["winograd", "plain"]).for_layer("conv1") == ("winograd", "plain")
    mixed = choose({"default": ["winograd", "plain"], "conv1": "plain", "conv2": "auto"})
    assert [mixed.for_layer(layer) for layer in ("conv1", "conv2", "other")] == [
        ("plain",),
        (),
        ("winograd", "plain"),
    ]
    assert mixed.names == ("winograd", "plain")


def test_it_is_a_value() -> None:
    choice = choose({"conv1": ["plain"]})
    assert {choice: 1}[pickle.loads(pickle.dumps(choice))] == 1


WRONG = [
    (3, "'kernels' is 3", "a list of names"),
    (True, "'kernels' is True", "a list of names"),
    ("", "'kernels' is ''", "a list of names"),
    ([3], "'kernels' is [3]", "a list of names"),
    ({"conv1": 3}, "'kernels' is {'conv1': 3}", "a list of names"),
    ({"conv1": {"a": "plain"}}, "'kernels' is {'conv1': {'a': 'plain'}}", "a list of names"),
    ({"": "plain"}, "'kernels' is {'': 'plain'}", "a list of names"),
    ([], "no kernel is named", "a list of names"),
    (["auto", "plain"], "'auto' is no kernel beside others", "alone"),
    (["plain", "plain"], "a kernel is there twice", "once"),
    ({"conv1": ["plain", "plain"]}, "a kernel is there twice", "once"),
]


@pytest.mark.parametrize(("written", "what", "hint"), WRONG)
def test_what_cannot_be(written: Any, what: str, hint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        choose(written)
    assert what in caught.value.what and hint in (caught.value.hint or "")


def test_every_name_is_held_against_those_that_there_are() -> None:
    check_kernels(choose({"default": "plain", "conv1": ["winograd", "plain"]}), ("plain", "winograd"))
    with pytest.raises(Unusable, match="unknown kernel 'winogrd'") as caught:
        check_kernels(choose({"conv1": ["plain", "winogrd"]}), ("plain", "winograd"))
    assert caught.value.hint == "did you mean 'winograd'?"


def test_the_family_says_which_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "plain" in kernel_names()
    monkeypatch.setitem(
        sys.modules,
        "mcusim.kernels",
        SimpleNamespace(KERNELS=tuple(SimpleNamespace(NAME=name) for name in ("plain", "winograd"))),
    )
    assert kernel_names() == ("plain", "winograd")
