"""When a pipeline is set aside: values in, judgements out."""

from __future__ import annotations

from pathlib import Path

import pytest

from edged.quarantine import (
    FIRST,
    GRAVE,
    LONGEST,
    MOST,
    PLAIN,
    WINDOW,
    Quarantine,
    Sentence,
    points,
    said,
)
from edged.wall import Trouble

GONE = Trouble(False, "there is no device", "plug it in")


def judged(*moments: float, weight: int = PLAIN) -> list[float | None]:
    """Seconds aside after each of these failures."""
    one = Quarantine()
    made = [one.judge(moment, weight) for moment in moments]
    return [sentence.seconds if sentence else None for sentence in made]


def test_six_crashes_within_the_window_are_enough() -> None:
    assert judged(*range(0, 60, 10)) == [None] * (MOST - 1) + [FIRST]


def test_it_is_as_often_and_as_long_as_is_promised(root: Path) -> None:
    text = (root / "docs/service.md").read_text()
    for words in ("six times within ten minutes (a broken rule counts three times)", "aside for ten minutes"):
        assert words in text
    assert "twice as long each time, up to six hours" in text
    assert (MOST, WINDOW, GRAVE, FIRST, LONGEST) == (6 * PLAIN, 600.0, 3 * PLAIN, 600.0, 6 * 3600.0)


def test_crashes_that_lie_apart_are_not() -> None:
    assert judged(*(number * (WINDOW / (MOST - 1) + 1) for number in range(100))) == [None] * 100


def test_two_broken_rules_are() -> None:
    assert judged(0.0, 1.0, weight=GRAVE) == [None, FIRST]
    assert judged(0.0, WINDOW + 1.0, weight=GRAVE) == [None, None]


def test_what_counts_nothing_never_is() -> None:
    assert judged(*range(1000), weight=0) == [None] * 1000


def test_on_probation_one_failure_is_enough_and_the_time_doubles_up_to_the_longest() -> None:
    one, now, times = Quarantine(), 0.0, []
    for _ in range(MOST - 1):
        one.judge(now, PLAIN)
    for _ in range(9):
        sentence = one.judge(now, PLAIN)
        assert sentence is not None
        times.append(sentence.seconds)
        now += sentence.seconds + WINDOW - 1.0
    assert times[:4] == [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST] and times[-1] == LONGEST


def test_on_probation_a_camera_may_be_unplugged() -> None:
    one = Quarantine()
    sentences = [one.judge(0.0, GRAVE) for _ in range(2)]
    assert sentences[-1] is not None and one.judge(FIRST + 1.0, 0) is None
    assert one.judge(FIRST + 2.0, PLAIN) == Sentence(2 * FIRST, 1, 0.0), "what led to the first is over"


def test_a_probation_that_is_passed_makes_all_forgotten() -> None:
    one = Quarantine()
    for _ in range(MOST):
        last = one.judge(0.0, PLAIN)
    assert last is not None
    later = FIRST + WINDOW
    assert [one.judge(later + second, PLAIN) for second in range(MOST - 1)] == [None] * (MOST - 1)
    again = one.judge(later + MOST, PLAIN)
    assert again is not None and again.seconds == FIRST


@pytest.mark.parametrize(
    ("trouble", "status", "broke_rule", "expected"),
    [
        (None, -11, False, PLAIN),
        (None, 0, False, PLAIN),
        (None, -9, True, GRAVE),
        (GONE, 4, False, 0),
        (GONE, -9, False, 0),
        (GONE, 1, False, PLAIN),  # a fault, or no memory left
        (GONE, -11, False, PLAIN),  # it said a word and crashed all the same
        (None, 4, False, PLAIN),
        (GONE, 4, True, GRAVE),
    ],
)
def test_what_an_end_counts(trouble: Trouble | None, status: int, broke_rule: bool, expected: int) -> None:
    assert points(trouble, status, broke_rule) == expected


def test_it_is_explained_with_the_next_step() -> None:
    text = said(Sentence(600.0, 6, 31.4), "the worker was ended by SIGSEGV")
    assert text == (
        "the worker was ended by SIGSEGV; 6 failures in 31 s, so it is set aside for 10 min"
        " (`sudo edged reload` tries it at once)"
    )
    assert "; again, so it is set aside for 6 h" in said(Sentence(LONGEST, 1, 0.0), "x")
