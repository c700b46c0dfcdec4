"""GitHub's API: the right artefact and the right comment, whoever else has some of that name."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.commands import cli
from mcusim.system import github as api
from mcusim.system.errors import ConfigurationError, DataError, MissingToolError
from tests.github_api import TOKEN, GitHub, packed
from tests.github_api import github as github  # noqa: PLC0414  (a fixture)


def fetched(member: str = "report.json") -> bytes | None:
    return api.baseline(api.Job.here(), "mcusim", member)


# -- the baseline ------------------------------------------------------------------------------------------------------


def test_the_newest_artefact_of_the_default_branch(github: GitHub) -> None:
    github.add_artifact(packed(report_json=b"old"))
    github.add_artifact(packed(report_json=b"new"))
    github.add_artifact(packed(report_json=b"feature"), "feature")
    assert fetched() == b"new"
    assert github.tokens == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("branch", "change"),
    [
        ("main", {"workflow_run": None}),
        ("main", {"expired": True}),
        ("other", {}),
        ("main", {"name": "other"}),
        ("main", {"id": "7/../../../x"}),
    ],
)
def test_what_is_no_baseline(github: GitHub, branch: str, change: dict[str, object]) -> None:
    github.add_artifact(packed(report_json=b"x"), branch).update(change)
    assert fetched() is None


def test_a_fork_and_this_very_job_are_no_baseline(github: GitHub) -> None:
    """A stranger's fork has a branch `main`, too."""
    github.add_artifact(packed(report_json=b"forged"), fork=True)
    github.add_artifact(packed(report_json=b"own"), run=99)
    assert fetched() is None


def test_it_is_found_behind_many_of_pull_requests(github: GitHub) -> None:
    github.add_artifact(packed(report_json=b"main"))
    for _ in range(2 * api.PAGE):
        github.add_artifact(b"", "feature")
    assert fetched() == b"main"


DAMAGED = {
    "empty": b"",
    "no archive": b"no archive",
    "another file": packed(other_json=b"x"),
    "cut off": packed(report_json=b"x" * 99)[:-30],
}


@pytest.mark.parametrize("archive", DAMAGED.values(), ids=DAMAGED)  # an archive tells the time: no name of a test
def test_a_damaged_artefact_is_an_error(github: GitHub, archive: bytes) -> None:
    github.add_artifact(archive)
    with pytest.raises(DataError, match="no readable"):
        fetched()


def test_what_unpacks_to_too_much(github: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    github.add_artifact(packed(report_json=bytes(100_000)))
    monkeypatch.setattr(api, "LARGEST_FILE_BYTES", 10_000)
    with pytest.raises(DataError, match="of the artefact 'mcusim' is too large"):
        fetched()
    github.add_artifact(bytes(20_000))
    with pytest.raises(DataError, match="GitHub's answer is too large"):
        fetched()


@pytest.mark.parametrize(
    "answer", [b"<html>log in</html>", {"message": "what?"}, ["artifacts"]], ids=["page", "other", "list"]
)
def test_an_answer_that_is_not_githubs_is_no_missing_baseline(
    github: GitHub, answer: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As below: the gate would stand open."""
    monkeypatch.setattr(github, "answer", lambda *_: (200, answer))
    with pytest.raises(DataError, match="GitHub's answer is no list"):
        fetched()


def test_it_is_not_looked_for_for_ever(github: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    github.add_artifact(packed(report_json=b"main"))
    for _ in range(api.PAGE):
        github.add_artifact(b"", "feature")
    monkeypatch.setattr(api, "MOST_PAGES", 1)
    assert fetched() is None


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_token_that_may_not_read_is_no_missing_baseline(github: GitHub, status: int) -> None:
    """Otherwise a gate would stand open, and nobody would know."""
    github.refuses = status
    with pytest.raises(ConfigurationError, match="may not do that") as refused:
        fetched()
    assert "actions: read" in str(refused.value.hint) and TOKEN not in str(refused.value)


def test_a_server_in_trouble(github: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    github.refuses = 503
    with pytest.raises(MissingToolError, match="503"):
        fetched()
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:1")
    with pytest.raises(MissingToolError, match="no connection"):
        fetched()


def test_the_command_says_that_there_is_none_yet(
    github: GitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.execute(["github", "baseline", "mcusim", "--out", str(tmp_path / "base")]) == 0
    assert "there is no baseline yet" in capsys.readouterr().out and not (tmp_path / "base").exists()
    github.add_artifact(packed(report_json=b"{}"))
    assert cli.execute(["github", "baseline", "mcusim", "--out", str(tmp_path / "base")]) == 0
    assert (tmp_path / "base" / "report.json").read_bytes() == b"{}"


# -- the comment -------------------------------------------------------------------------------------------------------


def say(text: str, name: str = "mcusim") -> str | None:
    return api.comment(api.Job.here(), name, text)


def test_one_comment_is_written_and_changed(github: GitHub) -> None:
    github.comments = [{"id": n, "user": {"type": "User"}, "body": "hi"} for n in range(1, 121)]
    assert say("first") == "https://example.org/c"
    assert say("second")
    assert len(github.comments) == 121 and github.comments[-1]["body"].endswith("-->\nsecond")


def test_names_have_comments_of_their_own(github: GitHub) -> None:
    for name in ("a", "b", "--><script>", "a"):
        say(f"of {name}", name)
    assert len(github.comments) == 3
    assert all(told["body"].partition("-->\n")[0].count(">") == 0 for told in github.comments)


def test_the_comment_of_a_person_is_never_changed(github: GitHub) -> None:
    """The marker is no secret, and the token may change what others said."""
    say("ours")
    forged = github.comments[0]["body"]
    github.comments = [{"id": 1, "user": {"type": "User"}, "body": forged}, {"id": 2, "user": None, "body": None}]
    say("news")
    assert github.comments[0]["body"] == forged and len(github.comments) == 3


def test_a_long_comment_is_cut_at_a_line(github: GitHub) -> None:
    say("\n".join(["é" * 50] * 2000))
    [told] = github.comments
    assert api.LARGEST_COMMENT_BYTES - 200 < len(told["body"].encode()) <= api.LARGEST_COMMENT_BYTES
    assert told["body"].endswith(f"\n{'é' * 50}\n\nThe rest is in the report.")


@pytest.mark.parametrize("trouble", [403, 500, "push", "nowhere"])
def test_a_comment_that_cannot_be_is_a_note(
    github: GitHub,
    trouble: int | str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "a.md").write_text("text")
    if isinstance(trouble, int):
        github.refuses = trouble
    elif trouble == "push":
        (tmp_path / "event.json").write_text("{}")
    else:
        monkeypatch.delenv("GITHUB_TOKEN")
    assert cli.execute(["github", "comment", str(tmp_path / "a.md"), str(tmp_path / "absent.md")]) == 0
    assert "note: no comment: " in capsys.readouterr().err and not github.comments


@pytest.mark.parametrize(
    "event", ["", "[]", "{}", '{"pull_request": 3, "repository": []}', '{"pull_request": {"number": "7"}}']
)
def test_events_of_any_shape(github: GitHub, event: str, tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text(event)
    with pytest.raises(ConfigurationError):
        say("x")
