"""What a new config asks of its models is looked at beforehand, by a real process that opens nothing else."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import drafts
import pytest

from edged import fitting
from edged.changes import Task
from edged.config.problem import Problem
from edged.config.shape import Measure, Model, Pipeline, Synthetic
from edged.fitting import Fitting
from edged.reactor import Reactor

ACTIVITY = Model(file="builtin:activity")


class Fitter:
    """Asks, and waits for what is found."""

    def __init__(self) -> None:
        self.reactor = Reactor()
        self.found: list[list[Problem]] = []

    def ask(self, **tasks: Task) -> Fitting:
        return Fitting(self.reactor, tasks, self.found.append)

    def turn(self, seconds: float = 60.0, until: int = 1) -> None:
        deadline = time.monotonic() + seconds
        while len(self.found) < until and time.monotonic() < deadline:
            self.reactor.turn(0.05)

    def answer(self, **tasks: Task) -> list[Problem]:
        self.ask(**tasks)
        self.turn()
        (found,) = self.found
        return found


@pytest.fixture
def fitter() -> Iterator[Fitter]:
    one = Fitter()
    yield one
    one.reactor.close()


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@pytest.fixture(autouse=True)
def nobody_is_left_behind(fitter: Fitter) -> Iterator[None]:
    before = children()
    yield
    deadline = time.monotonic() + 10.0
    while children() - before and time.monotonic() < deadline:
        fitter.reactor.turn(0.05)
    assert not children() - before


def task(*measures: Measure, model: Model = ACTIVITY, ladder: tuple[Model, ...] = ()) -> Task:
    names = tuple(f"rung{number}" for number, _ in enumerate(ladder, 1))
    pipeline = Pipeline(source=Synthetic(), model="mine", ladder=names, measures=measures)
    return Task(pipeline, (model, *ladder))


def scoring(folder: Path, *labels: str) -> Model:
    file = folder / "scoring.tflite"
    file.write_bytes(drafts.scoring())
    return Model(file=str(file), labels=labels, mean=(0.0,), std=(1.0,))


def test_what_fits_is_no_problem(fitter: Fitter, tmp_path: Path) -> None:
    model = scoring(tmp_path, "cat", "dog", "bird", "fish")
    good = task(Measure(kind="presence", labels=("cat", "fish")), model=model)
    assert fitter.answer(hall=good, yard=task(Measure(kind="activity"))) == []


def test_a_label_that_the_model_does_not_know_is_told_with_its_place_and_the_nearest(
    fitter: Fitter, tmp_path: Path
) -> None:
    model = scoring(tmp_path, "cat", "dog", "bird", "fish")
    measures = (Measure(kind="presence", labels=("cat",)), Measure(kind="presence", labels=("cat", "brid")))
    (problem,) = fitter.answer(hall=task(*measures, model=model), yard=task(Measure(kind="presence")))
    assert problem.path == ("pipelines", "hall", "measures", 1, "labels", 1)
    assert problem.found == '"brid", which the model mine does not give'
    assert problem.allowed.startswith('"bird"')


@pytest.mark.parametrize(
    ("measure", "key", "words"),
    [
        (Measure(kind="occupancy"), "kind", "presence or activity: it gives an activity grid"),
        (Measure(kind="presence", labels=("cat",)), "labels", "none: it recognises nothing and nobody"),
    ],
)
def test_a_measure_that_the_model_cannot_give(fitter: Fitter, measure: Measure, key: str, words: str) -> None:
    (problem,) = fitter.answer(hall=task(measure))
    assert (problem.path[-1], problem.allowed) == (key, words)


def test_a_zone_where_the_whole_picture_is_judged(fitter: Fitter, tmp_path: Path) -> None:
    model = scoring(tmp_path, "a", "b", "c", "d")
    (problem,) = fitter.answer(hall=task(Measure(kind="presence", zones=("door",)), model=model))
    assert (problem.path[-1], problem.allowed) == ("zones", "none: it judges the whole picture")


def test_every_rung_of_a_ladder_must_give_it_but_one_that_is_not_there_is_done_without(
    fitter: Fitter, tmp_path: Path
) -> None:
    first = scoring(tmp_path, "cat", "dog", "bird", "fish")
    asked = Measure(kind="presence", labels=("cat",))
    gone = Model(file=str(tmp_path / "gone.tflite"))
    assert fitter.answer(hall=task(asked, model=first, ladder=(gone,))) == []
    fitter.found.clear()
    (problem,) = fitter.answer(hall=task(asked, model=first, ladder=(gone, ACTIVITY)))
    assert problem.path[1:] == ("hall", "measures", 0, "labels")
    assert problem.found == "labels, which the model rung2 of the ladder does not give"


def test_a_model_that_cannot_be_opened(fitter: Fitter, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"no model" * 100)
    tasks = {"hall": task(model=Model(file=str(broken))), "yard": task(model=Model(file="/gone.tflite"))}
    found = {one.path: one for one in fitter.answer(**tasks)}
    assert set(found) == {("pipelines", "hall", "model"), ("pipelines", "yard", "model")}
    assert all(one.found.startswith('"mine": ') for one in found.values())
    assert "/gone.tflite" in found["pipelines", "yard", "model"].found


#: What a process may say that is no answer, and how it may end. Its socket is descriptor 3.
NO_ANSWERS = {
    "it says nothing": "pass",
    "it is killed": "os.kill(os.getpid(), 9)",
    "no JSON": "os.write(3, b'\\xff{')",
    "another answer": 'os.write(3, b\'{"refused": "the sandbox does not hold"}\')',
    "too much": "os.write(3, b'{\"misfits\": {}, \"more\": \"' + b'x' * 70000 + b'\"}')",
    "a pipeline that nobody asked about": "os.write(3, json.dumps({'misfits': {'x': one}}).encode())",
    "a number that is none": "os.write(3, json.dumps({'misfits': {'hall': one | {'rung': -1}}}).encode())",
    "a novel": "os.write(3, json.dumps({'misfits': {'hall': one | {'found': 'x' * 2000}}}).encode())",
    "it takes too long": "time.sleep(60)",
}


def pretend(monkeypatch: pytest.MonkeyPatch, deed: str) -> None:
    one = {"rung": 0, "number": 1, "key": "labels", "found": "x", "allowed": "y"}
    program = f"import json, os, time; one = {one}; {deed}"
    monkeypatch.setattr(fitting, "COMMAND", (sys.executable, "-c", program))


@pytest.mark.parametrize("deed", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_where_nobody_knows_nothing_is_held_up(
    fitter: Fitter, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    pretend(monkeypatch, deed)
    if "sleep" in deed:
        monkeypatch.setattr(fitting, "PATIENCE", 0.5)
    assert fitter.answer(hall=task(Measure(kind="presence"))) == []


def test_nor_where_no_process_can_be_started(fitter: Fitter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "COMMAND", ("/no/such/program",))
    assert fitter.answer(hall=task(Measure(kind="presence"))) == []


def test_what_it_says_commands_no_terminal(fitter: Fitter, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "{'hall': one | {'found': 'a\\x1b[2J\\nb', 'allowed': 'c\\x07', 'key': '\\x1b', 'rung': 99}}"
    pretend(monkeypatch, f"os.write(3, json.dumps({{'misfits': {said}}}).encode())")
    (problem,) = fitter.answer(hall=task(Measure(kind="presence")))
    assert str(problem).isprintable() and "a?[2J?b" in problem.found


def test_one_that_is_not_wanted_any_more_says_nothing(fitter: Fitter) -> None:
    asked = fitter.ask(hall=task(Measure(kind="occupancy")))
    asked.close()
    asked.close()
    fitter.turn(1.0)
    assert fitter.found == []
