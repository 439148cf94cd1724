"""Ready, the status line, progress: values in, judgements out."""

from __future__ import annotations

import math

import pytest

from edged.health import SLACK, Condition, Line, Outlook, line, ready, stalled, summary

HALL = Condition("hall", "running", asked=5.0, directed=5.0, due=104.0)
YARD = Condition("yard", "running", asked=5.0, directed=5.0, due=104.0)
GATE = Condition("gate", "backoff", "/dev/video0 is not there", due=110.0)
NOW = 100.0


def outlook(*pipelines: Condition, commit_due: float = 130.0, **more: object) -> Outlook:
    return Outlook(pipelines, commit_due, **more)  # type: ignore[arg-type]


def test_the_line_says_how_many_count_how_fast_how_warm_and_what_is_wrong() -> None:
    said = line(outlook(HALL, YARD, GATE), 9.81, 51.23)
    assert str(said) == (
        "2 of 3 pipelines count, 9.8 fps, budget 100 %, 51.2 °C; gate: backoff: /dev/video0 is not there"
    )


@pytest.mark.parametrize(
    ("pipelines", "expected"),
    [
        ((), "no pipeline is enabled"),
        ((HALL,), "1 of 1 pipeline counts, budget 100 %"),
        ((Condition("hall", "starting", settled=False),), "0 of 1 pipeline counts; hall: starting"),
        ((HALL._replace(directed=2.5), YARD), "2 of 2 pipelines count, budget 75 %"),
        ((HALL._replace(directed=0.0),), "1 of 1 pipeline counts, budget 0 %"),
        ((HALL._replace(asked=0.0, directed=0.0),), "1 of 1 pipeline counts"),
        ((Condition("clip", "ended"), HALL), "1 of 2 pipelines count, budget 100 %; clip: ended"),
    ],
)
def test_other_lines(pipelines: tuple[Condition, ...], expected: str) -> None:
    assert str(line(outlook(*pipelines))) == expected


def test_remarks_come_last_and_reasons_have_an_end() -> None:
    said = str(line(outlook(GATE._replace(why="x" * 1000), remarks=("the store cannot be written",))))
    assert said.endswith("…; the store cannot be written") and len(said) < 250


def test_a_pipeline_that_is_tried_again_and_again_is_one_piece_of_news() -> None:
    trying = GATE._replace(state="starting", settled=True)
    assert line(outlook(GATE)).words == line(outlook(trying)).words


@pytest.mark.parametrize(
    ("now", "matters"),
    [
        (Line(("a",), 100, 9.8, 51.0), False),
        (Line(("a",), 100, 9.4, 52.9), False),
        (Line(("a",), 100, 8.0, 51.0), True),
        (Line(("a",), 100, 9.8, 54.0), True),
        (Line(("a",), 80, 9.8, 51.0), True),
        (Line(("a", "b"), 100, 9.8, 51.0), True),
        (Line(("a",), 100, None, 51.0), True),
        (Line(("a",), 100, 9.8, None), True),
    ],
)
def test_what_swings_is_no_news(now: Line, matters: bool) -> None:
    assert now.matters_after(Line(("a",), 100, 9.8, 51.0)) is matters
    assert now.matters_after(None)


def test_ready_is_when_nobody_needs_to_be_waited_for() -> None:
    assert ready([HALL, GATE]) and ready([])
    assert not ready([HALL, GATE._replace(state="starting", settled=False)])


def test_the_summary_names_who_does_not_count() -> None:
    assert summary(outlook(HALL, GATE)) == "1 of 2 pipelines count; gate: backoff"


def test_progress_is_that_nobody_is_late() -> None:
    assert stalled(outlook(HALL, GATE), NOW) == ""
    assert stalled(outlook(HALL._replace(due=math.inf)), 1e9) == "no commit was tried for 999999870 s"
    assert stalled(outlook(HALL._replace(due=math.inf), commit_due=math.inf), 1e9) == ""


def test_a_worker_that_is_silent_for_a_moment_is_its_keepers_business() -> None:
    assert stalled(outlook(HALL._replace(due=NOW - SLACK)), NOW) == ""


def test_a_keeper_that_does_nothing_about_a_silent_worker_is_not() -> None:
    late = HALL._replace(due=NOW - SLACK - 0.1)
    assert stalled(outlook(late, YARD), NOW) == "nobody looks after hall"
    assert stalled(outlook(YARD, leaving=(late,)), NOW) == "nobody looks after hall"


def test_a_commit_that_nobody_tries_is_a_stall() -> None:
    assert stalled(outlook(HALL, commit_due=NOW - SLACK), NOW) == ""
    assert "no commit" in stalled(outlook(HALL, commit_due=NOW - SLACK - 1), NOW)
