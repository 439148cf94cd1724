"""The benchmark of accuracy: its simulated detector errs as it says, it judges as it says; and a small share
of what it measures.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy import chain, clips, detector, mot, pace, scenes
from benchmarks.accuracy.__main__ import main
from benchmarks.accuracy.detector import MEASURED, POOR, USUAL, Detector, Profile, Seen
from benchmarks.accuracy.marks import Marks, dwelt, judged
from benchmarks.accuracy.street import LINES, Event, Stay, Street, undecided
from benchmarks.requirement import REQUIREMENTS
from edged.worker.source.scene import Thing

#: In the open, of the usual size; ``number`` is another one each time, so that their own parts average out.
BOX = (0.4, 0.4, 0.4 + detector.SIZE, 0.4 + detector.SIZE)
FLAWLESS = Profile("flawless", 1e-6, lost=0.0, alarms=0.0, confused=0.0, jitter=0.1)


def standing(number: int) -> list[Thing]:
    return [Thing("person", number, BOX, BOX, False, 0.0)]


def found(seen: Seen, least: float = 0.5) -> bool:
    return any(of == 0 and score >= least for of, score in zip(seen.of, seen.scores.tolist(), strict=True))


# --- the simulated detector


@pytest.mark.parametrize("profile", [MEASURED, USUAL, POOR], ids=lambda one: one.name)
def test_it_misses_as_often_as_it_says(profile: Profile) -> None:
    see = Detector(profile, 7)
    misses = [not found(see(10.0 * number, standing(number))) for number in range(4000)]
    assert np.mean(misses) == pytest.approx(profile.missed, abs=0.02)


def test_misses_come_in_runs() -> None:
    see = Detector(USUAL, 3)
    missed = np.array([not found(see(0.1 * frame, standing(frame // 100))) for frame in range(20000)])
    after_a_miss = missed[1:][missed[:-1]].mean()
    assert after_a_miss > 3.0 * missed.mean()


def test_how_often_it_looks_does_not_change_how_often_it_misses() -> None:
    def rate(step: float) -> float:
        see, visits = Detector(USUAL, 5), range(800)
        looks = [(visit * 20.0 + k * step, visit) for visit in visits for k in range(round(4.0 / step))]
        return float(np.mean([not found(see(time, standing(visit))) for time, visit in looks]))

    assert rate(0.5) == pytest.approx(rate(2.0), abs=0.03)


def test_the_same_seed_sees_the_same() -> None:
    def film(seed: int) -> list[list[float]]:
        see, street = Detector(USUAL, seed), Street("busy", 1, 20.0)
        return [see(time, street.things(time)).scores.tolist() for time in pace.moments("5fps", 20.0)]

    assert film(1) == film(1) != film(2)


def test_alarms_are_as_many_as_it_says() -> None:
    alarms = Profile("nervous", 0.1, alarms=6.0, stay=0.5)
    see = Detector(alarms, 1)
    seen = sum(int((see(0.5 * frame, []).scores >= 0.5).sum()) for frame in range(20000))
    # 6 a minute of half a second each are in view 1/20 of the time.
    assert seen / 20000 == pytest.approx(6.0 * 0.5 / 60.0, rel=0.25)


def test_no_more_comes_out_than_of_a_real_detector() -> None:
    see, street = Detector(USUAL, 1), Street("crowded", 1, 60.0)
    for time in pace.moments("2fps", 60.0):
        seen = see(time, street.things(time))
        assert len(seen.scores) <= detector.MOST
        assert (np.diff(seen.scores) <= 0.0).all()
        boxes = [tuple(one) for one in seen.boxes.tolist()]
        for a, one in enumerate(boxes):
            assert min(one) >= 0.0 and max(one) <= 1.0
            same = [b for b in range(a) if seen.kinds[b] == seen.kinds[a]]
            assert all(detector.overlap(one, boxes[b]) <= detector.OVERLAP + 1e-6 for b in same)


def test_who_is_hidden_is_seen_less() -> None:
    near = Thing("car", 1, (0.45, 0.35, 0.8, 0.55), (0.45, 0.35, 0.8, 0.55), False, 0.0)

    def rate(*before: Thing) -> float:
        see = Detector(USUAL, 9)
        return float(np.mean([found(see(10.0 * n, [*standing(n), *before])) for n in range(1000)]))

    assert rate(near) < rate() - 0.3


# --- the film and its truth


@pytest.mark.parametrize("name", pace.PACES)
def test_frames_come_at_their_rate(name: str) -> None:
    times = list(pace.moments(name, 60.0))
    assert times[0] == 0.0 and times[-1] < 60.0
    for before, after in pairwise(times):
        assert after - before == pytest.approx(1.0 / pace.rate_at(name, before))


def test_a_swing_goes_down_and_up() -> None:
    rates = [pace.rate_at("swing", time) for time in (0.0, 15.0, 30.0, 45.0, 59.9)]
    assert rates == pytest.approx([10.0, 20.0**0.5, 2.0, 20.0**0.5, 10.0])


def test_of_a_stream_only_its_frames_are_taken() -> None:
    times = list(pace.moments("2fps", 5.0, 10.0))
    assert times == pytest.approx([0.5 * k for k in range(10)])


def test_crossings_are_the_scenes() -> None:
    street = Street("busy", 11, 120.0)
    for name, x in LINES.items():
        right = sum(one.place == f"{name}:eastward" for one in street.crossings())
        left = sum(one.place == f"{name}:westward" for one in street.crossings())
        lost = [visit for visit in street._scene.visits(0.0, 120.0) if undecided(visit)]
        away = sum(visit.path[0].x < x <= visit.path[1].x for visit in lost)
        back = sum(visit.path[0].x > x >= visit.path[1].x for visit in lost)
        # Who turns back passes it both ways.
        whole = street._scene.crossings("", 0.0, 120.0, x)
        assert 0 <= whole[0] - right <= away + back and 0 <= whole[1] - left <= away + back
    assert len(street.crossings()) > 30


def test_what_is_left_out_is_not_shown() -> None:
    street = Street("crowded", 2, 120.0)
    out = [one for one in street._scene.visits(0.0, 120.0) if undecided(one)]
    assert out
    middle = (out[0].enters + out[0].leaves) / 2
    shown = {(one.kind, one.number) for one in street.things(middle)}
    assert (out[0].kind, out[0].number) not in shown


# --- the judge


def event(time: float, place: str = "gate:in", kind: str = "person") -> Event:
    return Event(time, place, kind, 0)


def test_one_too_many_here_is_no_one_too_few_there() -> None:
    marks = judged([event(1.0), event(2.0, "gate:out")], [event(1.0), event(1.2)])
    cells = ((("gate:in", "person"), 1), (("gate:out", "person"), -1))
    assert marks == Marks(true=2, counted=2, off=2, missed=1, false=1, cells=cells)
    assert marks.error == marks.error_of_runs == 1.0


def test_a_run_makes_good_for_another_of_the_same_place_direction_and_kind_and_for_no_more() -> None:
    short, long = judged([event(1.0)], []), judged([event(1.0)], [event(1.0), event(2.0)])
    both = short.plus(long)
    assert (both.error, both.error_of_runs) == (0.0, 1.0)
    other = judged([event(1.0, "gate:out")], [event(1.0, "gate:out"), event(2.0, "gate:out")])
    assert short.plus(other).error == 1.0
    assert judged([event(1.0)], []).plus(judged([event(1.0, kind="car")], [])).error == 1.0


def test_what_is_counted_at_another_time_is_another_event() -> None:
    assert judged([event(1.0)], [event(40.0)]) == Marks(1, 1, 0, 1, 1)
    assert judged([event(1.0)], [event(40.0)]).error == 0.0


def test_kinds_are_told_apart() -> None:
    assert judged([event(1.0)], [event(1.0, kind="car")]).off == 2


def test_dwells_are_compared_with_the_stay_that_ended_then() -> None:
    off = dwelt([Stay(0.0, 10.0), Stay(20.0, 25.0)], [(10.5, 9.0), (26.0, 5.5), (60.0, 1.0)])
    assert off == pytest.approx([1.0, 0.5, np.inf])


# --- the chain


def test_a_flawless_detector_counts_right() -> None:
    street = Street("sparse", 21, 90.0)
    see = Detector(FLAWLESS, 1)
    film = [see(time, street.things(time)) for time in pace.moments("5fps", 90.0)]
    counted = chain.counted(
        chain.pipeline(scenes.ASKED, scenes.lines(), dict(scenes.ZONES)), film, scenes.LABELS
    )
    true = street.crossings()
    assert len(true) > 8
    assert judged(true, counted.of("crossings")).off == 0
    assert judged(scenes.came(street), counted.of("visits")).off == 0


@pytest.mark.parametrize("name", ["5fps", "swing"])
def test_a_small_share_of_the_benchmark(name: str) -> None:
    """As it is for owners: the usual detector. What it must reach as a whole is looser in so short a film."""
    pytest.importorskip("motmetrics", reason="the extra bench is not installed")
    results = [scenes.filmed(scenes.Scene("busy", name, "usual", seed, 120.0)) for seed in (1, 2)]
    row = scenes.row(results, "busy", name)
    assert row.crossings.true > 100
    assert row.crossings.error <= 0.08
    assert row.mota > 0.8 and row.idf1 > 0.7


def test_what_it_must_reach_is_what_was_asked() -> None:
    assert REQUIREMENTS["crossings.err_5fps"].most == 0.02
    assert REQUIREMENTS["crossings.err_2fps"].most == 0.05
    assert REQUIREMENTS["crossings.err_swing"].most == 0.04
    assert all(REQUIREMENTS[f"visits.{name}"] == (6, 6) for name in ("full", "5fps", "2fps"))


# --- clips with labels


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    street = Street("busy", 7, 30.0)
    mot.written(tmp_path / "clip", 10.0, (street.things(k / 10) for k in range(300)), (960, 540))
    return tmp_path / "clip"


def test_a_labelled_clip_tells_what_happened(labelled: Path) -> None:
    clip = mot.read(labelled)
    assert clip.found is None and clip.fps == 10.0
    lines = {name: one for name, one in scenes.lines().items() if name == "middle"}
    told = mot.crossings(clip, lines)
    true = [one for one in Street("busy", 7, 30.0).crossings() if one.place.startswith("middle")]
    # Who is near the line at the end has not been seen to be clear of it.
    assert true and judged([one for one in true if one.time < 28.0], told).missed == 0
    assert judged(true, told).false == 0


def test_a_labelled_clip_is_judged(labelled: Path) -> None:
    pytest.importorskip("motmetrics", reason="the extra bench is not installed")
    table = clips.judged_clip(labelled, ["0.5,1,0.5,0"], None, "near")
    assert "the simulated detector near" in table and table.count("MOTA") == len(pace.PACES)
    assert "line1:in" in table


def test_its_own_detections_are_taken(labelled: Path) -> None:
    (labelled / "det").mkdir()
    (labelled / "det/det.txt").write_text(
        "1,-1,97,55,96,270,0.9\n1,-1,10,10,50,50,0.2\n3,-1,97,55,96,270,0.7\n"
    )
    clip = mot.read(labelled)
    assert clip.found is not None and sorted(clip.found) == [0, 2]
    first = clip.found[0]
    assert first.scores.tolist() == pytest.approx([0.9, 0.2])
    assert first.boxes[0].tolist() == pytest.approx([0.1, 0.1, 0.6, 0.2])


@pytest.mark.parametrize(
    ("broken", "found_in"),
    [("seqinfo.ini", "Sequence"), ("gt/gt.txt", "not numbers")],
)
def test_what_is_no_such_clip_is_refused(labelled: Path, broken: str, found_in: str) -> None:
    (labelled / broken).write_text("1,2,three\n")
    with pytest.raises(ValueError, match=found_in):
        mot.read(labelled)


@pytest.mark.parametrize("missing", [".", "seqinfo.ini", "gt/gt.txt"])
def test_a_clip_that_is_not_there_is_named(
    labelled: Path, missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = labelled / missing
    gone.rename(labelled.parent / "gone")
    monkeypatch.setattr(sys, "argv", ["accuracy", "--mot", str(labelled)])
    assert main() == 2
    assert f"accuracy: {gone}: " in (said := capsys.readouterr().err)
    assert "Errno" not in said


def test_a_line_of_too_few_numbers_is_named(labelled: Path) -> None:
    (labelled / "gt/gt.txt").write_text("\n1,2,3\n")
    with pytest.raises(ValueError, match=r"gt\.txt, line 2: 3 numbers, and 6 are needed"):
        mot.read(labelled)


def test_a_line_must_be_one() -> None:
    assert clips.points("0.5,1,0.5,0") == ((0.5, 1.0), (0.5, 0.0))
    for text in ("0.5,1", "0.5,1,0.5", "0.5,1,0.5,2"):
        with pytest.raises(ValueError, match="no line"):
            clips.points(text)
