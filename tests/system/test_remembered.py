"""What was computed is remembered, as much of it as there is room for."""

from mcusim.system.remembered import Remembered


def asked(memory: Remembered, keys: str) -> str:
    """Which had to be made; each takes 10 bytes."""
    made = []
    for key in keys:
        assert memory.do(key, lambda key=key: made.append(key) or key, lambda _: 10) == key  # type: ignore[misc]
    return "".join(made)


def test_what_was_made_is_not_made_again() -> None:
    assert asked(Remembered(100), "abaab") == "ab"


def test_what_was_not_asked_for_longest_goes_first() -> None:
    assert asked(Remembered(30), "abcadab") == "abcdb"


def test_what_has_no_room_is_made_each_time() -> None:
    assert asked(Remembered(5), "aa") == "aa"
