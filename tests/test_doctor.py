"""Doctor: a row for each tool, with a version or with the command that installs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.doctor import Row, examine
from mcusim.engines import plugin


def rows() -> dict[str, Row]:
    return {row.name: row for row in examine()}


def test_every_row_is_found_or_explained() -> None:
    for row in examine():
        assert (row.found is None) == (row.problem is not None)
        assert row.needed_for


def test_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for name in ("MCUSIM_QEMU", "MCUSIM_CC", "MCUSIM_ARM_GCC_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    plugin.build_plugin.cache_clear()
    found = rows()
    assert found["Python"].found
    installs = {
        "Arm compiler with newlib-nano": "sudo apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi",
        "QEMU": "sudo apt-get install qemu-system-arm",
        "QEMU plugin": "sudo apt-get install qemu-system-arm",
        "host compiler": "sudo apt-get install gcc libc6-dev",
    }
    for name, install in installs.items():
        assert found[name].found is None and found[name].install == install


def test_qemu_without_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = tmp_path / "qemu"
    stand_in.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo version 7.2.0 && exit\necho "-plugin: invalid option" >&2\nexit 1\n'
    )
    stand_in.chmod(0o755)
    monkeypatch.setenv("MCUSIM_QEMU", str(stand_in))
    row = rows()["QEMU plugin"]
    assert row.found is None and row.problem == "this QEMU was built without TCG plugins"


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata

    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert rows()["tensorflow"].install == "pip install 'mcusim[train]'"
    assert not rows()["scikit-learn"].required
