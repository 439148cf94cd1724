"""The governor on simulated boards over simulated days: docs/governor.md says what each figure means.

``python -m benchmarks governor`` measures, and draws docs/governor-*.png where matplotlib is installed.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import governor_optimum
from benchmarks.governor_days import Governed, dearest, lived, wanted
from edged.board.simulated import SKIES, SPECS, SimulatedBoard, Spec
from edged.board.simulated.weather import steady, stepped
from edged.governor.ladder import Prefer
from edged.governor.policy import BELOW_LIMIT

OUT = Path("build/governor.json")  # every day by itself, for whoever looks for the worst
WEATHER = ("mild", "summer", "desert")  # 10 to 24, 17 to 33 and the sun, 30 to 45 °C
PREFERENCES: tuple[Prefer, ...] = ("accuracy", "rate")
SPOILED = tuple(itertools.product((0.5, 1.5), (0.5, 1.5)))  # factors on R and tau
BAD = {"noise": 1.0, "delay": 2}  # °C, s
AMBIENTS = (10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0)  # °C, steady weather
STEADY = 3 * 3600  # seconds, of which the first hour is for settling


def measure() -> dict[str, float]:
    """All figures; the pictures beside."""
    figures: dict[str, float] = {}
    with ProcessPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        jobs = [pool.submit(ordinary, *case) for case in itertools.product(SPECS, WEATHER, PREFERENCES)]
        bad = [
            pool.submit(robust, name, *factors, ("summer", "desert")[turn % 2], PREFERENCES[turn // 2 % 2])
            for name in SPECS
            for turn, factors in enumerate(SPOILED)
        ]
        steps = [pool.submit(step, name, kind) for name in SPECS for kind in ("warmer", "sun")]
        calm = [pool.submit(switches, *case) for case in itertools.product(SPECS, AMBIENTS, PREFERENCES)]
        grids = pool.submit(convergence)
        every = {"days": [one.result() for one in jobs], "robust": [one.result() for one in bad]}
        figures |= _days(every["days"]) | _robust(every["robust"])
        figures["governor.step_overshoot"] = max(one.result() for one in steps)
        figures["governor.switches_h"] = max(one.result() for one in calm)
        figures["governor.optimum_error"] = grids.result()
    figures["governor.cpu_share"] = cost()
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(every, indent=1))
    return figures | _drawn()


def aim(spec: Spec) -> float:
    """The default target, °C."""
    return spec.soft - BELOW_LIMIT


def ordinary(name: str, weather: str, prefer: Prefer) -> dict[str, Any]:
    """A day of ours, of the firmware alone and of the optimum."""
    spec, sky = SPECS[name], SKIES[weather]
    want, target = wanted(spec, prefer), aim(spec)
    ours = lived(SimulatedBoard(spec, sky), Governed(spec, want, target), want, target)
    alone = [lived(SimulatedBoard(spec, sky), dearest(want, threads), want, target) for threads in (1, 4)]
    best = max(alone, key=lambda one: one.utility)
    return {
        "name": name,
        "case": (weather, prefer),
        "over": ours.over,
        "ours": ours.utility,
        "firmware": best.utility,
        "throttled": best.throttled,
        "optimum": governor_optimum.optimum(spec, sky, want, target).utility,
        "switches": len(ours.switches),
        "hottest": ours.hottest,
    }


def _days(days: list[dict[str, Any]]) -> dict[str, float]:
    ratio = {name: _share(one for one in days if one["name"] == name) for name in SPECS}
    hot = [one for one in days if one["throttled"] > 60]
    return {
        "governor.over_s": sum(one["over"] for one in days),
        "governor.utility_ratio": min(ratio.values()),
        "governor.utility_worst_day": min(one["ours"] / one["optimum"] for one in days),
        "governor.vs_firmware": min(
            _share((one for one in hot if one["name"] == name), "firmware")
            for name in {one["name"] for one in hot}
        ),
        "governor.vs_firmware_worst_day": min(one["ours"] / one["firmware"] for one in hot),
        **{f"governor.utility.{name}": value for name, value in ratio.items()},
    }


def _share(days: Iterable[dict[str, Any]], of: str = "optimum") -> float:
    """Our work in all of ``days``, as a share of another's."""
    ours, other = 0.0, 0.0
    for one in days:
        ours, other = ours + one["ours"], other + one[of]
    return ours / other


def spoiled(spec: Spec, resistance: float, constant: float) -> Spec:
    """The same board, which the governor knows less well."""
    masses = {
        at: (value[0] * resistance, value[1] * constant)
        for at, value in (("fast", spec.fast), ("slow", spec.slow))
    }
    return msgspec.structs.replace(spec, **masses)


def robust(name: str, resistance: float, constant: float, weather: str, prefer: Prefer) -> dict[str, Any]:
    """A day of a board that is other than it says, with a bad sensor."""
    spec, sky = spoiled(SPECS[name], resistance, constant), SKIES[weather]
    want, target = wanted(spec, prefer), aim(spec)
    board, idle = SimulatedBoard(spec, sky, **BAD), SimulatedBoard(spec, sky)
    ours = lived(board, Governed(spec, want, target), want, target, idle=idle)
    best = governor_optimum.optimum(spec, sky, want, target).utility
    return {
        "name": name,
        "case": (resistance, constant, weather, prefer),
        "over": ours.over,
        "ours": ours.utility,
        "optimum": best,
        "hottest": ours.hottest,
        "switches": len(ours.switches),
    }


def _robust(days: list[dict[str, Any]]) -> dict[str, float]:
    groups = defaultdict(list)
    for one in days:
        groups[one["name"]].append(one)
    return {
        "governor.robust_over_s": sum(one["over"] for one in days),
        "governor.robust_ratio": min(_share(one) for one in groups.values()),
    }


def step(name: str, kind: str) -> float:
    """°C over the target after the air got 15 °C warmer, or the sun came, at a board that worked at its
    target.
    """
    spec = SPECS[name]
    want, target = wanted(spec, "accuracy"), aim(spec)
    change = {"warmer": {"warmer": 15.0}, "sun": {"sun": 10.0}}[kind]
    # As warm before as leaves the idle board at most 2 °C under the target afterwards.
    room = target - 2.0 - 15.0 - spec.rise - spec.slow[0] * spec.idle
    sky = stepped(min(30.0, room), 7200.0, **change)
    board = SimulatedBoard(spec, sky)
    return lived(board, Governed(spec, want, target), want, target, seconds=12_000).hottest - target


def switches(name: str, air: float, prefer: Prefer) -> float:
    """The most changes of rung within an hour of steady weather, after the first, with a noisy sensor."""
    spec, sky = SPECS[name], steady(air)
    want, target = wanted(spec, prefer), aim(spec)
    governed = Governed(spec, want, target)
    lived(SimulatedBoard(spec, sky, **BAD), governed, want, target, seconds=STEADY)
    late = [one for one in governed.switches if one > 3600.0]
    return max((sum(first <= one < first + 3600.0 for one in late) for first in late), default=0)


def convergence() -> float:
    """How far the optimum's grids are from twice as fine ones, at worst of a few days."""
    cases = (
        ("pi4-bare", "summer", "accuracy"),
        ("pi5-cooler", "desert", "rate"),
        ("pi3b+", "summer", "rate"),
    )
    return max(
        governor_optimum.error(SPECS[name], SKIES[sky], wanted(SPECS[name], prefer), aim(SPECS[name]))
        for name, sky, prefer in cases
    )


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


def _drawn() -> dict[str, float]:
    try:
        from benchmarks import governor_picture
    except ImportError:
        return {}
    return governor_picture.draw()
