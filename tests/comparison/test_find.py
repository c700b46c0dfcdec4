"""Where reports are looked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mcusim.comparison import find as finding
from mcusim.comparison.find import find
from mcusim.system.errors import ConfigurationError, DataError
from tests.comparison.comparing import report, run


def test_a_file_a_folder_or_all_below(tmp_path: Path) -> None:
    for name in ("b", "a/deep", "c"):
        report(run(), experiment=name).write(tmp_path / name / "report.json")
    report(run(), experiment="before").write(tmp_path / "c" / "report-before.json")
    assert [found.experiment for found in find(tmp_path / "c").reports] == ["c"]
    assert [found.experiment for found in find(tmp_path / "c" / "report-before.json").reports] == ["before"]
    every = find(tmp_path)
    assert [found.experiment for found in every.reports] == ["a/deep", "b", "c"]
    assert [file.parent.name for file in every.files] == ["deep", "b", "c"]


def test_the_report_of_a_folder_is_the_one_that_is_meant(tmp_path: Path) -> None:
    report(run(), experiment="own").write(tmp_path / "report.json")
    report(run(), experiment="inner").write(tmp_path / "inner" / "report.json")
    assert [found.experiment for found in find(tmp_path).reports] == ["own"]


@pytest.mark.parametrize("name", ["nothing", "nothing/report.json", "file/report.json", "empty", "empty/report.json"])
def test_nothing_is_there_yet(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    assert not find(tmp_path / name).reports


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_a_path_that_cannot_be(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read") as refused:
        find(tmp_path / name)
    assert refused.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_no_first_run(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0)
    with pytest.raises(ConfigurationError, match="Permission"):
        find(tmp_path / "locked")


def test_links_lead_nowhere(tmp_path: Path) -> None:
    report(run()).write(tmp_path / "a" / "report.json")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert len(find(tmp_path).reports) == 1
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert not find(tmp_path / "dangling").reports


def test_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "MOST_REPORTS", 2)
    for name in "abc":
        report().write(tmp_path / name / "report.json")
    with pytest.raises(ConfigurationError, match="more than 2 reports"):
        find(tmp_path)


def test_one_of_many_is_damaged(tmp_path: Path) -> None:
    report().write(tmp_path / "a" / "report.json")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "report.json").write_text("{")
    with pytest.raises(DataError) as refused:
        find(tmp_path)
    assert refused.value.where == str(tmp_path / "b" / "report.json")
