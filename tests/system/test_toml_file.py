"""Lines of keys, and files that are no TOML."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.system.errors import ConfigurationError
from mcusim.system.toml_file import KeyPath, describe, line_of, read_toml

TEXT = """\
[experiment]
name = "x"

[[model]]
name = "a"
parameters = { filters = 3 }

[[model]]
"name" = "b"
[model.training]
epochs = 3

[dataset]
name='digits'
training.epochs = 4
"""


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("experiment", "name"), 2),
        (("model", 0, "name"), 5),
        (("model", 0, "parameters", "filters"), 6),
        (("model", 1, "name"), 9),
        (("model", 1, "training", "epochs"), 11),
        (("model", 1, "keep"), 8),
        (("dataset", "name"), 14),
        (("dataset", "training", "epochs"), 15),
        (("target", "boards"), None),
    ],
)
def test_line_of_a_key(keys: KeyPath, line: int | None) -> None:
    assert line_of(TEXT, keys) == line


def test_describe() -> None:
    assert describe(["model", 1, "training", "epochs"]) == "model[1].training.epochs"


@pytest.mark.parametrize(
    "content",
    [b"name = ", b"\xff\xfe\x00", b"[a]\n[a]\n", b"x = 9999-99-99\n", b"x = " + b"[" * 20000, b"a = 1\na = 2\n"],
)
def test_what_is_no_toml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="is not") as caught:
        read_toml(path)
    assert caught.value.where == str(path)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read 'none\.toml'"):
        read_toml(tmp_path / "none.toml")
    with pytest.raises(ConfigurationError, match="cannot read"):
        read_toml(tmp_path)


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("a = 1\n", encoding="utf-8-sig")
    assert read_toml(path)[0] == {"a": 1}
