"""The simulated boards: what they were fitted to, what firmware, supply, battery and sensors do."""

from __future__ import annotations

import itertools
import math

import msgspec
import pytest

from edged.board.simulated import FEATURES, SKIES, SPECS, SimulatedBoard, names, opened, power, weather
from edged.board.simulated.power import Battery
from edged.board.simulated.sensor import Fault
from edged.board.simulated.weather import steady
from edged.errors import ConfigError


def settled(name: str, demand: float, air: float = 25.0, seconds: int = 7200) -> SimulatedBoard:
    board = SimulatedBoard(SPECS[name], steady(air))
    for _ in range(seconds):
        board.advance(demand)
    return board


def after(board: SimulatedBoard, demand: float, seconds: int) -> float:
    for _ in range(seconds):
        board.advance(demand)
    return board.temperature


#: Steps in public logs: board, load before, °C there, then (seconds at full load, °C).
LOGS = (
    ("pi4-bare", 68.7, ((20, 75.0), (63, 76.4), (126, 81.8))),
    ("pi4-heatsink", 50.6, ((44, 58.4), (226, 62.3))),
)


@pytest.mark.parametrize(("name", "before", "steps"), LOGS)
def test_the_steps_in_the_logs(name: str, before: float, steps: tuple[tuple[int, float], ...]) -> None:
    air = 25.0 + before - settled(name, 0.25).temperature  # the logs do not tell their room's
    board = SimulatedBoard(msgspec.structs.replace(SPECS[name], soft=200.0, hard=200.0), steady(air))
    after(board, 0.25, 7200)
    assert 10.0 < air < 35.0
    gone = 0
    for seconds, expected in steps:
        assert after(board, 1.0, seconds - gone) == pytest.approx(expected, abs=1.6)
        gone = seconds


def test_a_pi5_with_its_cooler() -> None:
    idle, busy = settled("pi5-cooler", 0.0), settled("pi5-cooler", (6.65 - 4.4) / 3.46)
    assert idle.temperature == pytest.approx(51.5, abs=1.5)  # 50 °C at 4 W, and ours idles at 4.4 W
    assert busy.temperature == pytest.approx(60.5, abs=2.0)
    assert busy.watts == pytest.approx(6.65, abs=0.01)
    assert 0 < idle.fan < busy.fan


def test_a_bare_pi5_throttles_within_minutes() -> None:
    board = settled("pi5-bare", 0.0)
    seconds = next(second for second in itertools.count() if after(board, 1.0, 1) >= 80.0)
    assert 120 < seconds < 600
    assert SPECS["pi5-bare"].clocks[-1] <= min(step_down(board)) < 1.0


def step_down(board: SimulatedBoard) -> list[float]:
    clocks = []
    for _ in range(1800):
        board.advance(1.0)
        clocks.append(board.clock)
    return clocks


@pytest.mark.parametrize("name", SPECS)
def test_firmware_bounds_the_heat(name: str) -> None:
    board = settled(name, 0.0, 30.0)
    hottest = max(after(board, 1.0, 1) for _ in range(7200))
    assert hottest < SPECS[name].hard + 1.0


def test_the_soft_limit_of_a_3b_plus() -> None:
    board = settled("pi3b+", 1.0)
    assert board.temperature > 60.0
    assert board.clock == 0.857
    assert board.advance(1.0) == 0.857


def test_a_fan_has_hysteresis() -> None:
    board, steps = settled("pi5-cooler", 1.0, 30.0), []
    for demand in (0.9, 0.5, 0.2, 0.0, 0.2, 0.5, 1.0):
        after(board, demand, 900)
        steps.append((board.fan, board.temperature))
    for fan, hot in steps:
        points = [point for point, _ in SPECS["pi5-cooler"].fan]
        assert fan == len(points) or hot < points[fan]
        assert fan == 0 or hot >= points[fan - 1] - 5.0


def test_a_weak_supply_sags_under_load_only_and_the_firmware_caps_the_clock() -> None:
    board = opened("simulated:pi4-bare,weak")
    board.advance(0.1)
    assert not board.under_voltage
    board.advance(1.0)
    assert board.under_voltage
    assert board.vitals().under_voltage is True
    assert board.advance(1.0) <= power.CAPPED
    after(board, 0.0, 3)
    assert not board.under_voltage


@pytest.mark.parametrize("name", SPECS)
def test_a_good_supply_bears_full_load_whatever_the_detector(name: str) -> None:
    board = SimulatedBoard(SPECS[name], steady(20.0), trip=1.05)
    for _ in range(60):
        board.advance(1.0)
        assert not board.under_voltage


def test_the_detector_is_within_five_per_cent() -> None:
    with pytest.raises(ValueError, match=r"0\.95 to 1\.05"):
        SimulatedBoard(SPECS["pi4-bare"], steady(20.0), trip=1.06)


def test_volts_are_the_circuits() -> None:
    volts = power.volts(5.1, 0.5, 6.0)
    assert volts == pytest.approx(5.1 - 0.5 * 6.0 / volts)
    assert power.volts(5.1, 0.5, 100.0) == 2.55  # it cannot be given


def test_a_battery_has_its_solar_day() -> None:
    board = SimulatedBoard(SPECS["zero2w"], SKIES["summer"], battery=Battery())
    charges = []
    for _ in range(86_400):
        board.advance(0.3)
        charges.append((board.vitals().charge, board.vitals().draining))
    assert charges[6 * 3600][0] < charges[0][0]
    assert charges[6 * 3600][1] is True
    assert charges[12 * 3600][1] is False
    assert charges[15 * 3600][0] > charges[8 * 3600][0]


def test_an_empty_battery_is_empty() -> None:
    battery = Battery(charge=0.01)
    battery.step(10.0, 0.0, 86_400.0)
    assert battery.charge == 0.0


def test_seasons_and_the_sun_on_the_case() -> None:
    assert SKIES["winter"](15 * 3600.0).air < SKIES["mild"](3 * 3600.0).air
    summer = SKIES["summer"]
    assert summer(3 * 3600.0).air == pytest.approx(17.0)
    assert summer(15 * 3600.0).air == pytest.approx(33.0)
    assert (summer(14 * 3600.0).sun, summer(16 * 3600.0).sun) == (8.0, 0.0)
    assert summer(14 * 3600.0) == summer(14 * 3600.0 + weather.DAY)
    assert weather.stepped(20.0, 100.0, warmer=15.0)(100.0).air == 35.0


@pytest.mark.parametrize("name", SPECS)
def test_the_same_seed_gives_the_same_day(name: str) -> None:
    def day(seed: int) -> list[float | None]:
        board = opened(f"simulated:{name},summer,noisy,noon", seed)
        return [(board.advance(0.7), board.vitals().temperature)[1] for _ in range(600)]

    assert day(7) == day(7)
    assert day(7) != day(8)


def test_a_sensor_is_late_coarse_and_noisy() -> None:
    board = SimulatedBoard(SPECS["pi4-bare"], steady(20.0), step=0.5, delay=2)
    cold = board.vitals().temperature
    board.advance(1.0)
    board.advance(1.0)
    assert board.vitals().temperature == cold
    board.advance(1.0)
    assert board.vitals().temperature > cold
    assert board.vitals().temperature % 0.5 == 0.0
    noisy = SimulatedBoard(SPECS["pi4-bare"], steady(20.0), noise=1.0)
    said = [noisy.vitals().temperature - noisy.temperature for _ in range(2000)]
    assert math.sqrt(sum(one * one for one in said) / 2000) == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize(
    ("kind", "right"),
    [
        ("gone", lambda first, second: first is None and second is None),
        ("nan", lambda first, second: math.isnan(first)),
        ("absurd", lambda first, second: first < -100.0),
        ("frozen", lambda first, second: first == second),
        ("leaping", lambda first, second: abs(first - second) >= 0.0),
    ],
)
def test_a_sensor_fails_as_ordered(kind, right) -> None:
    board = SimulatedBoard(SPECS["pi4-bare"], steady(20.0), faults=(Fault(5.0, 30.0, kind),))
    after(board, 1.0, 10)
    first = board.vitals().temperature
    after(board, 1.0, 5)
    assert right(first, board.vitals().temperature)
    after(board, 1.0, 20)
    assert board.vitals().temperature == pytest.approx(board.temperature)


def test_looks_follow_the_callers_clock() -> None:
    board = opened("simulated:pi4-bare")
    board.demand = 1.0
    first = board.look(1000.0)
    later = board.look(1060.0)
    assert (first.time, later.time) == (1000.0, 1060.0)
    assert later.temperature == pytest.approx(after(opened("simulated:pi4-bare"), 1.0, 60))
    assert board.look(1060.4).temperature == later.temperature
    assert board.look(1000.0).temperature == later.temperature  # a clock that goes back moves nothing


def test_a_long_sleep_is_simulated_in_no_time() -> None:
    board = opened("simulated:pi4-bare")
    board.look(0.0)
    assert board.look(1e9).temperature < 60.0
    assert board.time <= 86_400.0 + 30.0


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("words", ["", ",summer", ",desert,battery,meter", ",weak,noisy,noon,fanless"])
def test_names(name: str, words: str) -> None:
    board = opened(name + words)
    assert board.spec.name == name.removeprefix("simulated:")
    assert (board.vitals().charge is not None) == ("battery" in words)
    assert (board.vitals().power is not None) == ("meter" in words)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("simulated:pi6", "simulated:pi4-bare"),
        ("pi4-bare", "simulated:pi4-bare"),
        ("simulated:", "simulated:zero2w"),
        ("simulated:pi4-bare,monsoon", "summer"),
        ("simulated:pi4-bare,summer,desert", "one weather"),
    ],
)
def test_unknown_names_are_refused_with_the_list(name: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        opened(name)
    assert hint in caught.value.hint
    assert name in caught.value.message


def test_every_feature_does_something() -> None:
    plain = opened("simulated:pi5-cooler")
    for word in FEATURES:
        board = opened(f"simulated:pi5-cooler,{word}")
        differs = (
            board.spec != plain.spec
            or board.time != plain.time
            or msgspec.structs.asdict(board.vitals()) != msgspec.structs.asdict(plain.vitals())
        )
        assert differs, word
