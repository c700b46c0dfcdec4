"""Lines of keys, and files that are no TOML."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.system.errors import ConfigurationError
from mcusim.system.toml_file import LARGEST_FILE_BYTES, KeyPath, describe, line_of, read_toml

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


# -- hostile files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" + " " * 500_000, "is not TOML"),
        ("[" + " " * 200_000 + "a" + " " * 200_000 + "]\nb = 1 2", "is not TOML"),
        (".".join(["a"] * 16_000) + " = 1", "a key of more than 32 parts (at line 1)"),
        ("x = 1\n[" + " . ".join(['"a"'] * 100_000) + "]", "a key of more than 32 parts (at line 2)"),
        ("x = {" + ".".join(["a"] * 200_000) + " = 1}", "a key of more than 32 parts"),
        ("x = " + "[" * 500_000, "is not TOML"),
        ("x = " + "[" * 100 + "]" * 100, "more than 32 deep"),
        ("x = " + "{a=" * 100 + "1" + "}" * 100, "more than 32 deep"),
        ("x = " + "9" * 5000, "is not TOML"),
        ('"' * 1_000_000, "is not TOML"),
        ("a" * 1_000_000, "is not TOML"),
        (" " * 1_000_000 + "x", "is not TOML"),
        ("#" * (LARGEST_FILE_BYTES + 1), "it is too large"),
        ("a = 1\0", "is not TOML"),
    ],
)
def test_nothing_takes_long_and_all_is_told(tmp_path: Path, text: str, reason: str) -> None:
    """A reader whose time grows with the square of these would need hours."""
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_toml(tmp_path / "x.toml")
    assert reason in caught.value.what and caught.value.hint and len(caught.value.what) < 500


def test_lines_of_hostile_headers() -> None:
    text = ("[" + " " * 5000 + "\n") * 150 + "[" + " " * 100_000 + "a" + " " * 100_000 + "]\nb = 1\n"
    assert line_of(text, ("a", "b")) == 152 and line_of(text, ("a",)) == 151 and line_of(text, ("c",)) is None


def test_lines_of_many_errors() -> None:
    text = "".join(f"key{number} = 1\n" for number in range(50_000))
    assert [line_of(text, (f"key{number}",)) for number in range(0, 50_000, 10)] == [*range(1, 50_001, 10)]


def test_a_text_with_many_dots_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(f"x = {[*range(100)]}\ny = '{'. ' * 100}'\n# {'..' * 100}\n")
    assert read_toml(tmp_path / "x.toml")[0]["x"][99] == 99
