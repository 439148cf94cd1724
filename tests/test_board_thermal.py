"""The temperature that stands for the board, on boards as different as they come."""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import check_output

import pytest
from boards import planted, zone

from edged.board import thermal
from edged.board.thermal import Trip, temperature, zones

PI4 = zone(0, "cpu-thermal", "51608", critical=110000)
PI5 = zone(0, "cpu-thermal", "62150", critical=110000, active0=50000, active1=60000, active2=67500)
ROCK5 = {
    **zone(0, "soc-thermal", "41615", passive=75000, passive1=85000, critical=115000),
    **zone(1, "bigcore0-thermal", "43461"),
    **zone(2, "littlecore-thermal", "40692"),
    **zone(3, "gpu-thermal", "60000"),
}
LAPTOP = {
    **zone(0, "acpitz", "27800"),
    **zone(1, "x86_pkg_temp", "71000", passive=-274000),
    **zone(2, "iwlwifi_1", "88000"),
}
JETSON = {**zone(0, "PMIC-Die", "100000"), **zone(1, "CPU-therm", "38500"), **zone(2, "GPU-therm", "37000")}


@pytest.mark.parametrize(
    ("files", "celsius"),
    [(PI4, 51.608), (PI5, 62.15), (ROCK5, 43.461), (LAPTOP, 71.0), (JETSON, 38.5)],
    ids=["Pi 4", "Pi 5", "Rock 5", "laptop", "Jetson"],
)
def test_the_processor_speaks_for_the_board(
    tmp_path: Path, files: dict[str, str | bytes], celsius: float
) -> None:
    assert temperature(planted(tmp_path, files)) == pytest.approx(celsius)


def test_a_machine_that_names_no_processor_is_as_warm_as_what_may_be_it(tmp_path: Path) -> None:
    files = {**zone(0, "acpitz", "39000"), **zone(1, "battery", "55000")}
    assert temperature(planted(tmp_path, files)) == 39.0


@pytest.mark.parametrize("said", ["", "0", "-274000", "999000", "warm", "51608 51608", "-40001"])
def test_a_broken_sensor_is_none_and_never_cold(tmp_path: Path, said: str) -> None:
    assert temperature(planted(tmp_path, zone(0, "cpu-thermal", said))) is None


def test_a_sensor_that_cannot_be_read_leaves_the_others(tmp_path: Path) -> None:
    files = {**zone(0, "cpu-thermal", "50000"), **zone(1, "cpu1-thermal", "60000")}
    root = planted(tmp_path, files)
    (root / "class/thermal/thermal_zone1/temp").unlink()
    (root / "class/thermal/thermal_zone1/temp").mkdir()  # reading it fails, for root too
    assert temperature(root) == 50.0


def test_winter(tmp_path: Path) -> None:
    assert temperature(planted(tmp_path, zone(0, "cpu-thermal", "-12174"))) == -12.174


def test_no_zone_at_all(tmp_path: Path) -> None:
    assert temperature(tmp_path) is None


def test_trip_points_are_told_by_kind(tmp_path: Path) -> None:
    (pi5,) = zones(planted(tmp_path, PI5))
    assert pi5.trips == (
        Trip("critical", 110.0),
        Trip("active", 50.0),
        Trip("active", 60.0),
        Trip("active", 67.5),
    )


def test_a_trip_point_that_is_not_set_is_none(tmp_path: Path) -> None:
    package = next(one for one in zones(planted(tmp_path, LAPTOP)) if one.kind == "x86_pkg_temp")
    assert package.trips == ()


def test_zones_come_in_the_kernels_order(tmp_path: Path) -> None:
    root = planted(tmp_path, {**zone(10, "b", "50000"), **zone(2, "a", "50000")})
    assert [one.kind for one in zones(root)] == ["a", "b"]


def test_here_it_is_none_or_what_a_board_bears() -> None:
    here = temperature()
    assert here is None or thermal.COLDEST <= here <= thermal.HOTTEST


def test_the_daemon_can_afford_it() -> None:
    """Nothing comes along but the board's own modules; what is simulated stays away."""
    program = (
        "import sys, edged.service; before = set(sys.modules); "
        "import edged.board.telemetry; print(*set(sys.modules) - before)"
    )
    loaded = check_output([sys.executable, "-c", program], text=True).split()
    assert [one for one in loaded if not one.startswith("edged.board")] in ([], ["fcntl"])
    assert [one for one in loaded if one.startswith("edged.board.simulated")] == []
