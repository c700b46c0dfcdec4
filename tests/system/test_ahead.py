"""Work that is begun before anybody asks for it."""

from __future__ import annotations

import threading
import time

from mcusim.system.ahead import Ahead


def test_one_piece_after_the_other() -> None:
    done: list[int] = []
    ahead = Ahead()
    for number in range(3):
        ahead.begin(lambda number=number: done.append(number))
    ahead.begin(lambda: None)
    assert done == [0, 1, 2]


def test_an_error_is_left_to_who_asks_for_what_was_to_be_made() -> None:
    ahead, done = Ahead(), list[int]()
    ahead.begin(lambda: 1 // 0)
    ahead.begin(lambda: done.append(1))
    ahead.begin(lambda: None)
    assert done == [1]


def test_at_the_end_it_is_left_in_its_middle_and_tidies_up() -> None:
    begun, tidied, ahead = threading.Event(), threading.Event(), Ahead()

    def endless() -> None:
        try:
            begun.set()
            while True:
                time.sleep(0.01)
        finally:
            tidied.set()

    ahead.begin(endless)
    assert begun.wait(60)
    ahead.end()
    assert tidied.is_set()


def test_the_end_of_what_never_began() -> None:
    Ahead().end()
