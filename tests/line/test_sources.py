"""Sources: names that stay inside a folder, a digest that tells any two sets apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.line.sources import Sources
from mcusim.system.errors import BuildError


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "a/../x", "a/../../x", "a//b", "./a", "a\\b", "c:x", "a/", "..", ".", "a\0b"]
)
def test_names_that_could_leave_the_folder_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a relative file name"):
        Sources({name: ""})


def test_digest_depends_on_names_and_texts_and_not_on_order() -> None:
    base = Sources({"a": "1", "b": "2"})
    assert base.digest == Sources({"b": "2", "a": "1"}).digest
    others = [{"a": "12", "b": ""}, {"a": "1"}, {"a": "2", "b": "1"}, {"a1b": "2"}, {"ab": "12"}, {}]
    digests = {Sources(other).digest for other in others}
    assert len(digests) == len(others) and base.digest not in digests


def test_files_cannot_be_changed() -> None:
    files = {"a": "1"}
    sources = Sources(files)
    files["a"] = "2"
    assert sources.files["a"] == "1"
    with pytest.raises(TypeError):
        sources.files["a"] = "3"  # type: ignore[index]


def test_write(tmp_path: Path) -> None:
    Sources({"harness/main.c": "int main;\n", "größe.h": "é\r\n"}).write(tmp_path / "new" / "folder")
    assert (tmp_path / "new/folder/harness/main.c").read_bytes() == b"int main;\n"
    assert (tmp_path / "new/folder/größe.h").read_bytes() == "é\r\n".encode()


def test_write_where_it_is_impossible(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BuildError, match="cannot write 'a'"):
        Sources({"a": ""}).write(tmp_path / "file")


def test_merged() -> None:
    assert Sources({"a": "1"}).merged(Sources({"b": "2"})).files == {"a": "1", "b": "2"}
    with pytest.raises(ValueError, match="in both sets of sources: a"):
        Sources({"a": "1"}).merged(Sources({"a": "1"}))
