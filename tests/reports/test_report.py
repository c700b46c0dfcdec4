"""report.json: exact there and back, refused when damaged, and documented key by key."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import stat
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import typing_extensions
from rich.console import Console

from mcusim.reports import FORMATS, demand, render
from mcusim.reports.report import Check, Report, Run, RunError
from mcusim.reports.to_console import show
from mcusim.system.errors import ConfigurationError, DataError, MissingToolError
from mcusim.system.files import write_text
from tests.reports.reports import ERROR, empty_report, full_report, good_run, hostile_report, timed

ROOT = Path(__file__).parents[2]
Golden = Callable[[str, str], None]

NUMBERS = ("metrics", "badge")  # formats without sentences


@pytest.mark.parametrize("make", [full_report, hostile_report, empty_report])
def test_there_and_back(make: Callable[[], Report]) -> None:
    report = make()
    assert Report.from_json(report.to_json()) == report
    assert Report.from_json(report.to_json()).to_json() == report.to_json()


def test_golden_json(golden: Golden) -> None:
    golden("report.json", full_report().to_json())


def _there(name: str) -> bool:
    """HTML needs a package that may be missing."""
    try:
        demand([name])
    except MissingToolError:
        return False
    return True


def test_every_format_tells_the_error_and_what_it_did_to_a_budget() -> None:
    run = timed(good_run())
    kept = Check("energy_uwh_max", run.id, 1, 0.1834, True, None, "median", 1.16)
    broken = Check("latency_ms_max", run.id, 42, 41.7, False, None, "p90", 5.7)
    report = dataclasses.replace(full_report(), runs=(run,), checks=(kept, broken))
    assert Report.from_json(report.to_json()) == report
    console = Console(file=io.StringIO(), width=400)
    show(report, console)
    names = [name for name in FORMATS if _there(name) and name not in NUMBERS]
    texts = [console.file.getvalue(), *(render(report, name) for name in names)]  # type: ignore[attr-defined]
    for text in (text.replace("%25", "%") for text in texts):  # as annotations escape it
        assert "latency 41.7 ms with 5.7 % (p90 of its error) = 44.2206 ms is over 42 ms by 5.29 %" in text
        told = text.startswith("::error ")  # annotations tell broken budgets alone
        of_error = told or (ERROR["from"] in text and "1.16" in text)
        assert of_error or "±1.2 %: median of 39 held-out measurements" in text


@pytest.mark.parametrize(
    "error", [{}, {"median": 1.0}, {"median": "1", "p90": 2.0, "from": "x"}, {"median": 1.0, "p90": 2.0, "from": None}]
)
def test_an_error_that_is_none(error: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="error_pct"):
        Report.from_json(json.dumps(damage("runs.1.cycles.error_pct", error)))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_is_never_written(value: float) -> None:
    broken = dataclasses.replace(full_report(), wall_s=value)
    with pytest.raises(ValueError, match="not JSON compliant"):
        broken.to_json()


def damage(path: str, value: object) -> dict[str, Any]:
    """The full report with one value replaced; `...` deletes it."""
    values = json.loads(full_report().to_json())
    *parents, last = path.split(".")
    inner: Any = values
    for part in parents:
        inner = inner[int(part) if part.isdigit() else part]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return values


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("format", 2, "the format of the report is 2"),
        ("format", ..., "the format of the report is missing"),
        ("format", "1", "the format of the report is missing"),
        ("runs", {}, "runs"),
        ("runs", None, "runs"),
        ("wall_s", "x", "wall_s"),
        ("wall_s", float("nan"), "wall_s"),
        ("runs.0.accuracy", "high", "accuracy"),
        ("runs.0.samples", 1.5, "samples"),
        ("runs.0.macs", 10**40, "numbers"),
        ("runs.0.rom_bytes.total", None, "rom_bytes"),
        ("runs.0.model", ..., "model"),
        ("runs.0.model", 3, "model"),
        ("runs.1.id", "cnn-int8-nucleo_l452re_p", "ids"),
        ("checks.0.run", "nobody", "'nobody', which is no run"),
    ],
)
def test_a_damaged_report_is_refused(path: str, value: object, reason: str) -> None:
    with pytest.raises(DataError) as caught:
        Report.from_json(json.dumps(damage(path, value)))
    assert reason in caught.value.what and caught.value.hint


BY_NAME = {  # of what anybody may call as he likes
    name
    for kind in (Report, Run)
    for name, annotation in typing.get_type_hints(kind).items()
    if typing.get_origin(annotation) is Mapping
}


def with_more(value: Any, more: str) -> str:
    """JSON with a key that is not known here in every record."""
    if isinstance(value, list):
        return f"[{', '.join(with_more(one, more) for one in value)}]"
    if not isinstance(value, dict):
        return json.dumps(value)
    told = [
        f"{json.dumps(name)}: {json.dumps(one) if name in BY_NAME else with_more(one, more)}"
        for name, one in value.items()
    ]
    return f"{{{', '.join([*told, more])}}}"


@pytest.mark.parametrize("value", ["1", '{"how": [null, {"exact": 1e999}]}', "9" * 4000, r'"\u001b</script>"'])
def test_keys_of_a_newer_mcusim_change_nothing(value: str) -> None:
    text = with_more(json.loads(full_report().to_json()), f'"surprise": {value}')
    assert text.count('"surprise"') > 30 and "scores" in BY_NAME
    assert Report.from_json(text) == full_report()


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 9999 + "]" * 9999, '"\\ud800"', '{"a": 1, "a": 2}', "01", "{"])
def test_keys_of_a_newer_mcusim_are_json(value: str) -> None:
    text = full_report().to_json().replace("{", f'{{"surprise": {value}, ', 1)
    with pytest.raises(DataError, match="no readable report"):
        Report.from_json(text)


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "3", "[" * 100_000, '{"format": 1', "\x00", '"\\ud800"'])
def test_what_is_no_report(text: str) -> None:
    with pytest.raises(DataError):
        Report.from_json(text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read 'none\.json'"):
        Report.read(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="no readable report") as caught:
        Report.read(tmp_path / "binary.json")
    assert caught.value.where == str(tmp_path / "binary.json")


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "report.json"
    full_report().write(path)
    assert Report.read(path) == full_report()

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        empty_report().write(path)
    assert Report.read(path) == full_report(), "what was there stays"
    assert [file.name for file in path.parent.iterdir()] == ["report.json"], "no rubbish stays"


def test_others_may_read_it(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        write_text(tmp_path / "x", "text")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o644


def test_exit_codes() -> None:
    assert full_report().exit_code == 6, "the failed run's, also when budgets are broken"
    fine = Report(1, "0", "e", "now", 0.0, True, (good_run(),), full_report().checks[:1])
    assert fine.exit_code == 0
    broken = dataclasses.replace(full_report().checks[0], passed=False)
    assert dataclasses.replace(fine, checks=(broken,)).exit_code == 7


@pytest.mark.parametrize(
    ("kind", "code"), [("DataError", 3), ("BuildError", 5), ("nonsense", 1), ("OK", 1), ("Iterable", 1)]
)
def test_exit_code_of_an_error(kind: str, code: int) -> None:
    assert RunError(kind, "x").exit_code == code


def test_labels() -> None:
    labels = [run.label for run in full_report().runs]
    assert labels[0] == "cnn, int8, nucleo_l452re_p"
    assert labels[2] == "cnn #2, int16 Q7.9 floor, sparkfun_edge"


# -- docs/report.md ----------------------------------------------------------------------------------------------------


def keys_of(kind: type) -> set[str]:
    """`rom_bytes`, `rom_bytes.code`, `layers[].name`, .. of a dataclass, from its types."""
    found = set()
    for name, annotation in typing.get_type_hints(kind).items():
        if name.startswith("__"):
            continue
        found.add(name)
        for part in typing.get_args(annotation) or (annotation,):
            if dataclasses.is_dataclass(part) or typing_extensions.is_typeddict(part):
                many = "[]" if typing.get_origin(annotation) is tuple else ""
                found |= {f"{name}{many}.{key}" for key in keys_of(typing.cast(type, part))}
    return found


def test_docs_name_every_key_and_no_other() -> None:
    text = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    documented = set()
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        prefix = match[0] + "." if (match := re.match(r"`(runs|checks)\[\]", title)) else ""
        documented |= {prefix.lstrip("`") + key for key in re.findall(r"^\| `([\w\[\].]+)` \|", body, re.MULTILINE)}
    of_tasks = {key for key in documented if key.startswith(("runs[].scores.", "runs[].scores_float."))}
    of_outputs = ("runs[].outputs[].classes[].", "runs[].outputs[].worst[].")
    told_before = {key for key in keys_of(Report) if key.startswith(of_outputs)}
    assert documented - of_tasks == keys_of(Report) - told_before


def test_the_file_has_every_key_of_a_run() -> None:
    written = json.loads(full_report().to_json())["runs"][0]
    assert set(written) == {field.name for field in dataclasses.fields(Run)}


def test_the_file_says_its_format_first() -> None:
    assert full_report().to_json().startswith('{\n "format": 1,')


def test_a_thousand_runs_take_no_longer_than_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """What looked at all runs for each of them took minutes."""
    one, report = full_report().runs[0], full_report()
    runs = tuple(dataclasses.replace(one, id=f"r{number}", model=f"m{number}") for number in range(1000))
    checks = tuple(Check("accuracy_min", run.id, 0.99, 0.9, False) for run in runs)
    many = dataclasses.replace(report, runs=runs, checks=checks)
    looked = 0

    class Counted(tuple[Any, ...]):
        def __iter__(self) -> Any:
            nonlocal looked
            looked += 1
            return super().__iter__()

    many = dataclasses.replace(many, runs=Counted(runs), checks=Counted(checks))
    for name in filter(_there, FORMATS):
        text = render(many, name)
        words = "m999", "of 1000 runs are shown", "::991 more"  # GitHub takes ten annotations
        assert any(word in text for word in words) or (name == "badge" and "of 1000 budgets" in text)
    show(many, Console(file=io.StringIO(), width=120))
    assert looked < 300


@pytest.mark.parametrize("member", ['"experiment": "gestures"', '"model": "cnn"', '"total": 24000'])
def test_a_key_that_is_there_twice(member: str) -> None:
    """Readers of JSON differ in which of both they take."""
    text = full_report().to_json()
    assert member in text
    with pytest.raises(DataError, match="is there twice") as refused:
        Report.from_json(text.replace(member, f"{member}, {member}", 1), "a.json")
    assert refused.value.where == "a.json" and "report.json of `mcusim run`" in str(refused.value.hint)


def test_a_budget_that_this_version_does_not_know_is_told_by_its_name() -> None:
    check = Check("new_max", "r", 1, 2.5, False, "over")
    assert str(check).startswith("new_max 2.5 ") and "None" not in str(check)


def test_the_key_that_is_there_twice_is_found_among_many() -> None:
    scores = ", ".join(f'"s{number}": 1' for number in [*range(100_000), 99_999])
    text = full_report().to_json()
    with pytest.raises(DataError, match="key 's99999' is there twice"):
        Report.from_json(text.replace('"scores": {', f'"scores": {{{scores}' + ", ", 1).replace(", }", "}", 1))
