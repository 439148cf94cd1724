"""The governor on simulated boards over simulated days: docs/governor.md says what each figure means.

``python -m benchmarks governor`` measures, and draws docs/governor-*.png where matplotlib is installed.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import governor_optimum
from benchmarks.governor_campaign import Job, done
from benchmarks.governor_days import BangBang, Day, Fixed, Governed, lived, wanted
from edged.board.simulated import SKIES, SPECS, SimulatedBoard, Spec
from edged.board.simulated.weather import day, steady, stepped
from edged.governor.ladder import Prefer
from edged.governor.policy import BELOW_LIMIT

OUT = Path("build/governor.json")  # every day by itself, for whoever looks for the worst
#: 10 to 24, 17 to 33 and the sun, 30 to 45, and all of 10 to 45 °C within a day.
WEATHER = {name: SKIES[name] for name in ("mild", "summer", "desert")} | {"swing": day(10.0, 45.0)}
PREFERENCES: tuple[Prefer, ...] = ("accuracy", "rate")
SPOILED = tuple(itertools.product((0.5, 1.5), (0.5, 1.5)))  # factors on R and tau
BAD = {"noise": 1.0, "delay": 2}  # °C, s
AMBIENTS = (10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0)  # °C, steady weather
#: The days on which the optimum's grids are held against finer ones.
FINE = (("pi4-bare", "desert", "accuracy"), ("pi5-bare", "swing", "rate"), ("pi3b+", "desert", "rate"))
STEADY = 3 * 3600  # seconds, of which the first hour is for settling
STEPPED = 7200  # seconds before the step
BAND = 1.0  # °C under the target: what works at its target is in there
HOT = 60  # seconds of less than full clock that make a day of those on which the firmware throttles

#: What the days rest on; a change anywhere else leaves them as they are.
BOARD = ("edged/board/simulated/*.py", "edged/governor/ladder.py", "benchmarks/governor_days.py")
POLICY = (
    *BOARD,
    *(f"edged/governor/{name}.py" for name in ("observer", "heat", "supply", "policy", "steering")),
)
BOUND = (*BOARD, "benchmarks/governor_optimum.py")


def measure() -> dict[str, float]:
    """All figures; the pictures beside."""
    days = list(itertools.product(SPECS, WEATHER, PREFERENCES))
    bad = [
        (name, ("summer", "desert")[turn % 2], PREFERENCES[turn // 2 % 2], *factors)
        for name in SPECS
        for turn, factors in enumerate(SPOILED)
    ]
    groups = {
        "ours": [Job(ours, one, POLICY) for one in days],
        "robust": [Job(robust, one, POLICY) for one in bad],
        "steps": [Job(step, one, POLICY) for one in itertools.product(SPECS, ("warmer", "sun"))],
        "calm": [Job(switches, one, POLICY) for one in itertools.product(SPECS, AMBIENTS, PREFERENCES)],
        "others": [Job(others, one, BOARD) for one in days],
        "bound": [Job(bound, one, BOUND) for one in days],
        "robust_bound": [Job(bound, one, BOUND) for one in bad],
        "grids": [Job(convergence, one, BOUND) for one in FINE],
    }
    results = iter(done(itertools.chain.from_iterable(groups.values())))
    seen = {name: list(itertools.islice(results, len(jobs))) for name, jobs in groups.items()}
    days_seen = [a | b | c for a, b, c in zip(seen["ours"], seen["others"], seen["bound"], strict=True)]
    bad_seen = [a | b for a, b in zip(seen["robust"], seen["robust_bound"], strict=True)]
    _written(days_seen, bad_seen, seen["steps"])
    figures = _days(days_seen) | _robust(bad_seen) | _steps(seen["steps"])
    figures["governor.switches_h"] = max(seen["calm"])
    figures["governor.optimum_error"] = max(seen["grids"])
    figures["governor.cpu_share"] = cost()
    return figures | _drawn(days_seen)


def aim(spec: Spec) -> float:
    """The default target, °C."""
    return spec.soft - BELOW_LIMIT


def ours(name: str, weather: str, prefer: Prefer) -> dict[str, Any]:
    """A day of the real policy and steering."""
    spec = SPECS[name]
    want, target = wanted(spec, prefer), aim(spec)
    lived_by_us = lived(SimulatedBoard(spec, WEATHER[weather]), Governed(spec, want, target), want, target)
    return {"name": name, "case": (weather, prefer), **_told("ours", lived_by_us)}


def others(name: str, weather: str, prefer: Prefer) -> dict[str, Any]:
    """The same day without us: the firmware alone with the dearest model at one thread or on all cores,
    whichever does more; with the one rung of all that does most on this very day, known in hindsight; a
    thermostat; and no limit at all.
    """
    spec, sky = SPECS[name], WEATHER[weather]
    want, target = wanted(spec, prefer), aim(spec)

    def alone(rung: int) -> Day:
        return lived(SimulatedBoard(spec, sky), Fixed(rung, want.rate), want, target)

    usual = [at for at, one in enumerate(want.rungs) if one.quality == 1.0 and one.threads in (1, spec.cores)]
    days = {rung: alone(rung) for rung in usual}
    dear = max(usual, key=lambda one: days[one].utility)
    if days[dear].throttled > HOT:  # elsewhere no one asks
        days |= {rung: alone(rung) for rung in range(len(want.rungs)) if rung not in days}
    tireless = msgspec.structs.replace(spec, soft=1e3, hard=1e3, cap=None)
    free = lived(SimulatedBoard(tireless, sky), Fixed(dear, want.rate), want, target)
    switched = lived(SimulatedBoard(spec, sky), BangBang(want, target), want, target)
    hindsight = max(days.values(), key=lambda one: one.utility)
    return {
        **_told("firmware", days[dear]),
        **_told("thermostat", switched),
        **_told("free", free),
        "hindsight": hindsight.utility,
        "hindsight_hottest": hindsight.hottest,
    }


def _told(who: str, one: Day) -> dict[str, Any]:
    return {
        who: one.utility,
        f"{who}_over": one.over,
        f"{who}_excused": one.excused,
        f"{who}_hottest": one.hottest,
        f"{who}_throttled": one.throttled,
        f"{who}_switches": len(one.switches),
        f"{who}_course": one.course,
    }


def bound(
    name: str, weather: str, prefer: Prefer, resistance: float = 1.0, constant: float = 1.0
) -> dict[str, Any]:
    """What could be had that day, at the most."""
    spec = spoiled(SPECS[name], resistance, constant)
    best = governor_optimum.optimum(spec, WEATHER[weather], wanted(spec, prefer), aim(spec))
    return {"optimum": best.utility, "optimum_course": best.course.tolist()}


def spoiled(spec: Spec, resistance: float, constant: float) -> Spec:
    """The same board, which the governor knows less well."""
    masses = {
        at: (value[0] * resistance, value[1] * constant)
        for at, value in (("fast", spec.fast), ("slow", spec.slow))
    }
    return msgspec.structs.replace(spec, **masses)


def robust(name: str, weather: str, prefer: Prefer, resistance: float, constant: float) -> dict[str, Any]:
    """A day of a board that is other than it says, with a bad sensor."""
    spec, sky = spoiled(SPECS[name], resistance, constant), WEATHER[weather]
    want, target = wanted(spec, prefer), aim(spec)
    board, idle = SimulatedBoard(spec, sky, **BAD), SimulatedBoard(spec, sky)
    one = lived(board, Governed(spec, want, target), want, target, idle=idle)
    return {"name": name, "case": (weather, prefer, resistance, constant), **_told("ours", one)}


def step(name: str, kind: str) -> dict[str, Any]:
    """The air gets 15 °C warmer, or the sun comes, at a board that works at its target: °C over it, and the
    seconds until the die stays in its band for a minute (None: this board does not get so warm).
    """
    spec = SPECS[name]
    want, target = wanted(spec, "accuracy"), aim(spec)
    change = {"warmer": {"warmer": 15.0}, "sun": {"sun": 10.0}}[kind]
    # As warm before as leaves the idle board at most 2 °C under the target afterwards.
    room = target - 2.0 - 15.0 - spec.rise - spec.slow[0] * spec.idle
    sky = stepped(min(30.0, room), float(STEPPED), **change)
    board = SimulatedBoard(spec, sky)
    one = lived(board, Governed(spec, want, target), want, target, seconds=STEPPED + 4800, every=10)
    late = [(at - STEPPED, -BAND <= mean - target <= 0.5) for at, mean, *_ in one.course if at > STEPPED]
    minutes = (late[first : first + 6] for first in range(len(late) - 5))
    back = next((minute[0][0] for minute in minutes if all(inside for _, inside in minute)), None)
    return {"name": name, "kind": kind, "over": one.hottest - target, "back": back}


def switches(name: str, air: float, prefer: Prefer) -> int:
    """The most changes of rung within an hour of steady weather, after the first, with a noisy sensor."""
    spec, sky = SPECS[name], steady(air)
    want, target = wanted(spec, prefer), aim(spec)
    governed = Governed(spec, want, target)
    lived(SimulatedBoard(spec, sky, **BAD), governed, want, target, seconds=STEADY)
    late = [one for one in governed.switches if one > 3600.0]
    return max((sum(first <= one < first + 3600.0 for one in late) for first in late), default=0)


def convergence(name: str, weather: str, prefer: Prefer) -> float:
    """How far the optimum is from that on finer grids."""
    spec = SPECS[name]
    return governor_optimum.error(spec, WEATHER[weather], wanted(spec, prefer), aim(spec))


def cost(looks: int = 20_000) -> float:
    """Share of a core that policy and steering take at one look a second."""
    spec = SPECS["pi4-bare"]
    want = wanted(spec, "accuracy")
    governed, board = Governed(spec, want, aim(spec)), SimulatedBoard(spec, SKIES["desert"])
    spent = 0
    for _ in range(looks):
        vitals = board.vitals()
        began = time.thread_time_ns()
        governed(vitals)
        spent += time.thread_time_ns() - began
        board.advance(1.0)
    return spent / looks * 1e-9


def _days(days: list[dict[str, Any]]) -> dict[str, float]:
    ratio = {name: _share(one for one in days if one["name"] == name) for name in SPECS}
    hot = [one for one in days if one["firmware_throttled"] > HOT]
    boards = sorted({one["name"] for one in hot})

    def beside(other: str, *prefer: str) -> float:
        asked = prefer or PREFERENCES
        chosen = [[one for one in hot if one["name"] == name and one["case"][1] in asked] for name in boards]
        return min(_share(some, other) for some in chosen if some)

    return {
        "governor.over_s": sum(one["ours_over"] for one in days),
        "governor.hottest_over": max(one["ours_hottest"] - aim(SPECS[one["name"]]) for one in days),
        "governor.utility_ratio": min(ratio.values()),
        "governor.utility_worst_day": min(one["ours"] / one["optimum"] for one in days),
        "governor.vs_firmware": beside("firmware"),
        "governor.vs_firmware.accuracy": beside("firmware", "accuracy"),
        "governor.vs_firmware_worst_day": min(one["ours"] / one["firmware"] for one in hot),
        "governor.optimum_vs_firmware_worst_day": min(one["optimum"] / one["firmware"] for one in hot),
        "governor.vs_hindsight": beside("hindsight"),
        "governor.vs_thermostat": beside("thermostat"),
        **{f"governor.utility.{name}": value for name, value in ratio.items()},
    }


def _share(days: Iterable[dict[str, Any]], of: str = "optimum") -> float:
    """Our work in all of ``days``, as a share of another's."""
    mine, other = 0.0, 0.0
    for one in days:
        mine, other = mine + one["ours"], other + one[of]
    return mine / other


def _robust(days: list[dict[str, Any]]) -> dict[str, float]:
    return {
        "governor.robust_over_s": sum(one["ours_over"] for one in days),
        "governor.robust_excused_s": sum(one["ours_excused"] for one in days),
        "governor.robust_ratio": min(_share(one for one in days if one["name"] == name) for name in SPECS),
    }


def _steps(steps: Sequence[dict[str, Any]]) -> dict[str, float]:
    return {
        "governor.step_overshoot": max(one["over"] for one in steps),
        "governor.step_back_s": max(one["back"] for one in steps if one["back"] is not None),
    }


def _written(*groups: list[dict[str, Any]]) -> None:
    """Without the courses, which are for the pictures."""
    names = ("days", "robust", "steps")
    plain = [
        [{key: value for key, value in one.items() if "course" not in key} for one in rows] for rows in groups
    ]
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(dict(zip(names, plain, strict=True)), indent=1))


def _drawn(days: list[dict[str, Any]]) -> dict[str, float]:
    try:
        from benchmarks import governor_picture
    except ImportError:
        return {}
    return governor_picture.draw(days)
