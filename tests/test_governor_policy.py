"""The governor's judgement: what must hold for any readings, and what each concern does."""

from __future__ import annotations

import itertools
import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.board.simulated import SPECS, SimulatedBoard
from edged.board.simulated.power import Battery as Cell
from edged.board.simulated.sensor import Fault
from edged.board.simulated.weather import SKIES, steady, stepped
from edged.board.vitals import Vitals
from edged.governor import heat, observer, policy, supply
from edged.governor.policy import Budget, Limits, State
from edged.governor.supply import Energy

FLOOR = 0.05
anything = st.none() | st.floats() | st.sampled_from([0.0, 1.0, -1.0, 1e308, 79.9])
shares = st.none() | st.floats(0.0, 1.0)


@st.composite
def garbage(draw: st.DrawFn) -> Vitals:
    return Vitals(
        time=draw(st.floats()),
        temperature=draw(anything),
        limit=draw(anything),
        busy=draw(anything),
        clock=draw(anything),
        under_voltage=draw(st.none() | st.booleans()),
        power=draw(anything),
        charge=draw(anything),
        draining=draw(st.none() | st.booleans()),
        pressure=draw(anything),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Vitals]:
    """Plausible seconds with holes in them."""
    warm = draw(st.floats(20.0, 85.0))
    steps = draw(st.lists(st.tuples(st.none() | st.floats(-2.0, 2.0), shares, st.booleans()), max_size=30))
    return [
        Vitals(
            time=float(second),
            temperature=None if step is None else warm + step,
            limit=80.0,
            busy=busy,
            clock=1.0,
            under_voltage=weak,
        )
        for second, (step, busy, weak) in enumerate(steps)
    ]


def played(looks: list[Vitals], limits: Limits, **more: float) -> tuple[State, list[Budget]]:
    state, budgets = policy.begun(0.0), []
    for vitals in looks:
        state, budget = policy.decided(state, vitals, limits, **more)
        budgets.append(budget)
    return state, budgets


@settings(max_examples=100, deadline=None)
@given(st.lists(garbage(), max_size=20), st.floats(), st.booleans(), anything)
def test_any_garbage_gives_a_budget(looks, day, quiet, own) -> None:
    state = policy.begun(0.0)
    for vitals in looks:
        state, budget = policy.decided(state, vitals, Limits(), day, quiet, own)
        assert 0.0 <= budget.load <= 1.0
        assert 0.0 <= budget.headroom < math.inf
        assert budget.seconds >= 0.0
        assert budget.temperature is None or math.isfinite(budget.temperature)
        assert math.isfinite(budget.rising)
        assert budget.load == 0.0 or not quiet
        assert not budget.blind or budget.load <= Limits().floor


@settings(max_examples=100, deadline=None)
@given(st.lists(garbage(), max_size=20), anything)
def test_any_garbage_rises_slowly(looks, own) -> None:
    """Whatever is said: no faster than the time that has passed, unless the clock went back."""
    before = policy.begun(0.0)
    for vitals in looks:
        after, budget = policy.decided(before, vitals, Limits(), own=own)
        if after.time >= before.time:
            assert budget.load <= before.load + policy.RISE * (after.time - before.time) + 1e-9
        before = after


@settings(max_examples=60, deadline=None)
@given(histories(), st.floats(60.0, 90.0), st.floats(1.0, 100.0))
def test_what_is_allowed_is_forecast_to_stay_under_the_target(looks, target, more) -> None:
    """At every horizon, by as much as the observer is unsure of; and the less it knows, the less."""
    limits = Limits(target=target, floor=FLOOR)
    known = played(looks, limits)[0].heat
    belief = known.belief
    if known.blind or belief is None:
        return
    load = heat.allowed(known, target, FLOOR, limits.prior)
    warmest = max(observer.forecast(belief, load, seconds, limits.prior) for seconds in heat.HORIZONS)
    assert load == 0.0 or warmest <= target - max(heat.LEAST_MARGIN, heat.SURE * belief.doubt) + 1e-6
    vague = tuple(tuple(more * one for one in row) for row in belief.spread)
    unsure = msgspec.structs.replace(known, belief=msgspec.structs.replace(belief, spread=vague))
    assert heat.allowed(unsure, target, FLOOR, limits.prior) <= load + 1e-9


@settings(max_examples=20, deadline=None)
@given(st.lists(garbage(), max_size=20), histories())
def test_it_recovers_from_any_garbage(before, looks) -> None:
    """Whatever was said: an hour of a cool and quiet board later all is allowed again."""
    state, _ = played(before, Limits())
    later = state.time if abs(state.time) < 1e6 else 0.0  # its clock may have leapt, too
    wave = [
        Vitals(time=later + 61.0 + 30.0 * at, temperature=30.0 + at % 2, busy=0.1, under_voltage=False)
        for at in range(1200)
    ]
    for vitals in looks + wave:
        state, budget = policy.decided(state, vitals, Limits())
    lost = state.battery.heard is not None and budget.load == Limits().floor
    assert budget.load == 1.0 or state.supply.proven < 1.0 or lost


@settings(max_examples=60, deadline=None)
@given(histories())
def test_pure(looks) -> None:
    assert played(looks, Limits()) == played(looks, Limits())


@settings(max_examples=60, deadline=None)
@given(histories(), st.floats(50.0, 90.0), st.floats(0.0, 20.0))
def test_of_one_memory_a_higher_target_never_allows_less(looks, target, more) -> None:
    state, _ = played(looks, Limits(floor=FLOOR))
    vitals = Vitals(time=state.time + 1.0, temperature=60.0, busy=0.5)
    low = policy.decided(state, vitals, Limits(target=target, floor=FLOOR))[1]
    high = policy.decided(state, vitals, Limits(target=target + more, floor=FLOOR))[1]
    assert low.load <= high.load + 1e-9


@settings(max_examples=60, deadline=None)
@given(histories())
def test_it_rises_slowly_and_falls_at_once(looks) -> None:
    before = 1.0
    for at, budget in enumerate(played(looks, Limits())[1]):
        assert at == 0 or budget.load <= before + policy.RISE + 1e-9
        before = budget.load


def lived(board: SimulatedBoard, limits: Limits, seconds: int, **more: float) -> list[Budget]:
    state, budgets = policy.begun(board.time), []
    for _ in range(seconds):
        state, budget = policy.decided(state, board.vitals(), limits, **more)
        board.advance(budget.load)
        budgets.append(budget)
    return budgets


@pytest.mark.parametrize("kind", ["gone", "nan", "absurd", "frozen", "leaping"])
@pytest.mark.parametrize("name", ["pi4-bare", "pi5-cooler", "zero2w"])
def test_blind_means_hot(name: str, kind) -> None:
    """Each way to be wrong ends at the floor and is over soon after the sensor is well again."""
    sky = stepped(35.0, 1200.0, warmer=6.0)
    board = SimulatedBoard(SPECS[name], sky, noise=0.3, faults=(Fault(1300.0, 4900.0, kind),))
    state, budgets = policy.begun(0.0), []
    for _ in range(6500):
        state, budget = policy.decided(state, board.vitals(), Limits(floor=FLOOR))
        board.advance(budget.load)
        budgets.append(budget)
    wrong = [one.load for one in budgets[1400 if kind != "frozen" else 3200 : 4900]]
    assert max(wrong) <= FLOOR + (0.0 if kind != "leaping" else 1e-9)
    assert {one.concern for one in budgets[3200:4900]} == {"blind"}
    assert budgets[3300].blind in {heat.GONE, heat.ABSURD, heat.STUCK, heat.LEAPT}
    assert budgets[-1].blind == ""
    assert budgets[-1].load > 2 * FLOOR


def test_a_sensor_that_stands_still_while_the_load_changes_is_frozen_within_a_minute() -> None:
    looks = [Vitals(time=float(at), temperature=50.0, busy=0.0 if at < 60 else 1.0) for at in range(120)]
    _, budgets = played(looks, Limits())
    assert budgets[59].blind == ""
    assert budgets[90].blind == heat.STUCK
    assert budgets[90].load == Limits().floor


@pytest.mark.parametrize(("busy", "asked"), [(0.1, ""), (0.9, heat.STUCK)])
def test_a_coarse_sensor_is_asked_only_what_it_can_answer(busy: float, asked: str) -> None:
    """Half an hour of one reading: at the floor a board that does little would read the same."""
    looks = [Vitals(time=float(at), temperature=50.0, busy=busy) for at in range(int(heat.FROZEN) + 60)]
    assert played(looks, Limits())[1][-1].blind == asked


@pytest.mark.parametrize("charge", [0.0, 1.0])
def test_a_battery_that_is_gone_leaves_the_floor(charge: float) -> None:
    """Whatever it said last."""
    looks = [Vitals(time=0.0, temperature=40.0, charge=charge, draining=True)]
    looks += [Vitals(time=1.0 + at, temperature=40.0 + at % 2) for at in range(300)]
    assert played(looks, Limits())[1][-1].load == Limits().floor


def test_a_hole_of_some_seconds_is_bridged() -> None:
    looks = [Vitals(time=float(at), temperature=None if 20 <= at < 24 else 50.0 + at % 2) for at in range(40)]
    assert {one.blind for one in played(looks, Limits())[1]} == {""}


def test_no_sensor_at_all_is_blind_and_may_be_declared_so() -> None:
    looks = [Vitals(time=float(at)) for at in range(20)]
    assert played(looks, Limits())[1][-1].concern == "blind"
    assert played(looks, Limits(thermal=False))[1][-1] == Budget(1.0)


@pytest.mark.parametrize("limit", [math.nan, -5.0, 0.0, 44.0, 116.0, math.inf, None])
def test_a_trip_point_that_cannot_be_is_not_believed(limit) -> None:
    vitals = Vitals(time=0.0, limit=limit)
    assert policy.aimed(vitals, Limits()) == policy.DEFAULT_LIMIT - policy.BELOW_LIMIT
    assert policy.aimed(msgspec.structs.replace(vitals, limit=85.0), Limits()) == 83.0
    assert policy.aimed(vitals, Limits(target=70.0)) == 70.0


def test_what_others_do_is_heat_as_well() -> None:
    """Half of the cores are somebody else's: the board stays under its target all the same."""
    board, state, load = SimulatedBoard(SPECS["pi4-bare"], steady(35.0)), policy.begun(0.0), 0.0
    for _ in range(7200):
        state, budget = policy.decided(state, board.vitals(), Limits(), own=load)
        load = min(budget.load, 0.5)
        board.advance(load + 0.2)
        assert board.temperature <= 78.5
    assert 0.0 < load < 0.3


def test_it_yields_to_others_that_wait_only() -> None:
    def after(pressure: float | None, busy: float, seconds: int = 60) -> float:
        looks = [
            Vitals(time=float(at), temperature=40.0 + at % 2, busy=busy, pressure=pressure)
            for at in range(seconds)
        ]
        return played(looks, Limits(), own=0.4)[1][-1].load

    assert after(0.5, 0.9) == policy.LEAST_YIELD
    assert after(0.5, 0.42) == 1.0  # what waits is ourselves
    assert after(0.1, 0.9) == 1.0
    assert after(None, 0.9) == 1.0
    assert after(math.nan, 0.9) == 1.0


def test_it_takes_back_what_others_no_longer_need() -> None:
    looks = [
        Vitals(time=float(at), temperature=40.0 + at % 2, busy=0.9, pressure=0.5 if at < 60 else 0.0)
        for at in range(240)
    ]
    assert played(looks, Limits(), own=0.4)[1][-1].load == 1.0


def test_quiet_hours_pause_at_once_and_end_within_a_minute() -> None:
    looks = [Vitals(time=float(at), temperature=40.0 + at % 2) for at in range(200)]
    state, budgets = policy.begun(0.0), []
    for vitals in looks:
        state, budget = policy.decided(state, vitals, Limits(), quiet=50 <= vitals.time < 100)
        budgets.append(budget)
    assert (budgets[49].load, budgets[50].load, budgets[50].concern) == (1.0, 0.0, "quiet")
    assert budgets[99 + math.ceil(1.0 / policy.RISE)].load == pytest.approx(1.0)


def test_under_voltage_cuts_at_once_and_comes_back_slowly() -> None:
    looks = [
        Vitals(time=float(at), temperature=40.0 + at % 2, under_voltage=100 <= at < 103) for at in range(2400)
    ]
    budgets = played(looks, Limits(floor=FLOOR))[1]
    assert budgets[99].load == 1.0
    assert (budgets[100].load, budgets[100].concern) == (FLOOR, "supply")
    assert {one.load for one in budgets[100 : 102 + int(supply.HOLD)]} == {FLOOR}
    half = next(at for at, one in enumerate(budgets) if at > 100 and one.load >= 0.5)
    assert half > 102 + supply.HOLD + 0.4 / supply.RECOVERY
    assert max(one.load for one in budgets[100:900]) <= supply.SHY + 900 * supply.FORGIVING


@pytest.mark.parametrize("name", ["pi4-bare", "zero2w"])
def test_a_thin_cable_is_learnt(name: str) -> None:
    """Half a day on a supply that gives way at part load: each hour it does so less, and never for long."""
    spec = msgspec.structs.replace(SPECS[name], ohms=0.5 if name == "pi4-bare" else 0.9)
    board, state, sags, limits = (
        SimulatedBoard(spec, SKIES["winter"]),
        policy.begun(0.0),
        [],
        Limits(floor=FLOOR),
    )
    work = 0.0
    for second in range(86_400):
        state, budget = policy.decided(state, board.vitals(), limits)
        before = board.under_voltage
        work += board.advance(budget.load)
        if board.under_voltage and not before:
            sags.append(second)
    assert 1 <= len(sags) <= 20
    assert len([one for one in sags if one > 20_000]) <= 4
    assert work / 40_000 > 0.3


@pytest.mark.parametrize("error", [0.7, 1.0, 1.3])
def test_the_days_energy_is_kept(error: float) -> None:
    spec = SPECS["pi4-bare"]
    board, state = SimulatedBoard(spec, SKIES["mild"], meter=True), policy.begun(0.0)
    limits = Limits(energy=Energy(watt_hours=80.0), idle=spec.idle * error, dynamic=spec.dynamic * error)
    spent = [0.0, 0.0]
    for second in range(0, 2 * 86_400, 10):
        day = second % 86_400 / 86_400
        state, budget = policy.decided(state, board.vitals(), limits, day)
        board.advance(budget.load, 10.0)
        spent[second // 86_400] += board.watts / 360.0
    for one in spent:
        assert 0.95 * 80.0 < one < 1.01 * 80.0


def test_without_a_meter_the_watts_are_the_models() -> None:
    board = SimulatedBoard(SPECS["pi4-bare"], SKIES["mild"])
    limits = Limits(energy=Energy(watt_hours=70.0), idle=2.29, dynamic=4.53)
    state, spent = policy.begun(0.0), 0.0
    for second in range(0, 86_400, 10):
        state, budget = policy.decided(state, board.vitals(), limits, second / 86_400)
        board.advance(budget.load, 10.0)
        spent += board.watts / 360.0
    assert 0.95 * 70.0 < spent < 1.02 * 70.0


def test_too_few_watt_hours_pause() -> None:
    looks = [Vitals(time=float(at), temperature=40.0 + at % 2) for at in range(60)]
    budget = played(looks, Limits(energy=Energy(watt_hours=10.0)))[1][-1]
    assert (budget.load, budget.concern) == (0.0, "energy")


def test_a_battery_lasts() -> None:
    """A dull winter day on the battery: less work at night, none at the reserve, never empty."""
    board = SimulatedBoard(SPECS["zero2w"], SKIES["winter"], battery=Cell(charge=0.5, capacity=37.0))
    state, charges, loads = policy.begun(0.0), [], set()
    for _ in range(2 * 8640):
        state, budget = policy.decided(state, board.vitals(), Limits())
        board.advance(budget.load, 10.0)
        charges.append(board.battery.charge)
        loads.add(budget.load)
    assert min(charges) > 0.05
    assert min(loads) < 0.1
    assert max(loads) == 1.0


@pytest.mark.parametrize("charge", [math.nan, -0.1, 1.1, math.inf, None])
def test_a_gauge_that_is_lost_counts_as_empty(charge: float | None) -> None:
    looks = [
        Vitals(time=float(at), temperature=40.0 + at % 2, charge=0.9 if at < 20 else charge, draining=True)
        for at in range(120)
    ]
    budgets = played(looks, Limits(floor=FLOOR))[1]
    assert budgets[25].load == 1.0
    assert (budgets[-1].load, budgets[-1].concern) == (FLOOR, "battery")


def test_clouds_do_not_show() -> None:
    """The sun comes and goes each minute over a half full battery: the load goes down once, and creeps."""
    looks = [
        Vitals(
            time=float(at),
            temperature=40.0 + at % 2,
            charge=0.35,
            draining=at < 60 or at // 60 % 2 == 1,
        )
        for at in range(1200)
    ]
    loads = [one.load for one in played(looks, Limits())[1]]
    assert loads[0] == pytest.approx(0.5)
    assert all(after - before <= supply.RECOVERY + 1e-9 for before, after in itertools.pairwise(loads))


def test_surprises_of_one_sign_make_the_base_doubtful() -> None:
    """A lid is closed: what was learnt of the air is of little worth, within half a minute."""
    prior = Limits().prior
    belief, doubts = observer.begin(60.0, prior), []
    for second in range(630):
        belief = observer.after(belief, 0.5, 1.0, prior)
        belief = observer.corrected(belief, 60.0 + 0.2 * (second % 2) + 0.3 * max(0, second - 600))
        doubts.append(math.sqrt(belief.spread[0][0]))
    assert max(doubts[600:]) > 2.0 * doubts[599]


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("change", [{"warmer": 15.0}, {"sun": 10.0}])
def test_a_step_of_the_weather_does_not_overshoot(name: str, change) -> None:
    spec = SPECS[name]
    idle = spec.rise + spec.slow[0] * spec.idle
    board = SimulatedBoard(spec, stepped(min(30.0, 61.0 - idle), 3600.0, **change))
    state = policy.begun(0.0)
    for _ in range(6000):
        state, budget = policy.decided(state, board.vitals(), Limits())
        board.advance(budget.load)
        assert board.temperature <= 78.5


def test_the_outlook_tells_how_long_it_takes() -> None:
    board = SimulatedBoard(SPECS["pi4-bare"], steady(35.0))
    state, told = policy.begun(0.0), []
    limits = Limits(target=78.0)
    while board.temperature < 78.0:
        state, budget = policy.decided(state, board.vitals(), limits)
        told.append((board.time, budget))
        board.advance(1.0)
    at, budget = told[-30]
    assert budget.seconds == pytest.approx(board.time - at, rel=0.5)
    assert budget.rising > 0.0
    assert 0.0 < budget.headroom < 1.0
    assert budget.temperature == pytest.approx(board.temperature, abs=5.0)


def test_a_suspended_board_begins_anew() -> None:
    looks = [Vitals(time=float(at), temperature=70.0 + at % 2) for at in range(100)]
    state, _ = played(looks, Limits())
    state, budget = policy.decided(state, Vitals(time=9000.0, temperature=25.0), Limits())
    assert budget.blind == ""
    assert budget.temperature == pytest.approx(25.0, abs=0.5)
