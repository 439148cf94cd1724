"""The real daemon on a simulated board in harsh weather: it throttles, pauses, goes blind, sags, recovers,
and says so in coverage, events and status.

The board is a Zero 2 W in a heat of 40 °C, whose time is ours; targets a little above what it has at rest
make its heat matter within seconds. Nothing here asserts how long anything takes.
"""

from __future__ import annotations

import datetime
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edged.governor.profile import Profile

sys.path.insert(0, str(Path(__file__).parent))
from test_service import SCENE, Managed, pipeline

CLIP = '{ kind = "synthetic", width = 96, height = 96, fps = 10.0, pace = "fast" }'
STREET = pipeline("street", "rate = 10.0", SCENE)
#: It takes a whole core if it may; the street takes less than the floor that is always safe.
BUSY = pipeline("clip", "rate = 10.0", CLIP)
#: At rest it is at 57.75 °C, and at that its target leaves it nothing; the other is out of reach.
TIGHT, AMPLE = 57.6, 95.0

#: A board whose sensors a file spoils while it runs: "gone", "weak" or nothing.
SPOILT = """
import re
import sys
from pathlib import Path
import msgspec
from edged.board.simulated import SimulatedBoard
from edged.governor import supply
supply.HOLD, supply.RECOVERY = 1.0, 0.2
plain, fault = SimulatedBoard.look, Path("fault")
def look(self, now):
    told, said = plain(self, now), fault.read_text() if fault.exists() else ""
    told = msgspec.structs.replace(told, temperature=None) if said == "gone" else told
    return msgspec.structs.replace(told, under_voltage=True) if said == "weak" else told
SimulatedBoard.look = look
from edged.governor import governor
governor.STEADY = 1.0
from edged import service
sys.exit(service.serve(sys.argv[1]))
"""


def governor(**keys: Any) -> str:
    lines = [f"{key} = {_toml(value)}" for key, value in {"board": "simulated:zero2w,hot", **keys}.items()]
    return "\n".join(["[governor]", *lines, ""])


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Managed]:
    one = Managed(tmp_path)
    yield one
    one.end()


def course(service: Managed, name: str = "street") -> dict[str, Any]:
    found = next(one for one in service.status()["pipelines"] if one["name"] == name)["course"]
    assert isinstance(found, dict)
    return found


def held(service: Managed, concern: str, name: str = "street") -> bool:
    board = service.status()["board"]
    return board["concern"] == concern and course(service, name)["share"] < 1.0


def free(service: Managed, name: str = "street") -> bool:
    return bool(course(service, name)["share"] == 1.0)


def made(service: Managed, name: str) -> dict[str, float]:
    return next(dict(one["made"]) for one in service.status()["pipelines"] if one["name"] == name)


def covered(service: Managed, key: str, name: str = "street") -> float:
    found = next(one for one in service.rows()["coverage"] if one["pipeline"] == name)
    return float(sum(row[key] for row in found["rows"]))


def test_heat_throttles_is_told_and_is_over_when_the_target_is_moved(service: Managed) -> None:
    """Also: a reload of the target is in force at once and no worker is replaced for it."""
    service.start(governor(target=TIGHT), STREET)
    service.ready()
    service.until(lambda: held(service, "heat"))
    pids, told = service.pids(), service.edged("status").stdout
    assert "held back: " in told and "°C" in told
    service.listen()
    assert service.reload(governor(target=AMPLE), STREET).returncode == 0
    service.until(lambda: free(service))
    assert service.pids() == pids and service.status()["board"]["target"] == AMPLE
    counted = service.counted("street")
    service.until(lambda: service.counted("street") > counted + 5)
    said = service.stop()
    assert "street: throttled: " in said or "street: paused: " in said
    assert "street: eased: " in said or "street: resumed: " in said
    assert covered(service, "throttled_s") + covered(service, "paused_s") > 0.0


def test_a_recording_is_slowed_down_and_never_thinned(service: Managed) -> None:
    service.start(governor(target=59.0), BUSY)
    service.ready()
    service.until(lambda: 0.0 < course(service, "clip")["share"] < 1.0)
    counted = service.counted("clip")
    service.until(lambda: service.counted("clip") > counted)
    said = service.stop()
    assert "clip: throttled: " in said and "of its speed" in said
    (clip,) = service.rows()["coverage"]
    assert all(row["analysed"] == 10 for row in clip["rows"][1:-1])


def test_quiet_hours_pause_everything_and_their_end_resumes_it(service: Managed) -> None:
    quiet = governor(quiet=["00:00-12:00", "12:00-00:00"], target=AMPLE)
    service.start(quiet, STREET, pipeline("yard", "rate = 5.0", SCENE))
    service.ready()
    service.until(lambda: set(service.states().values()) == {"paused"})
    pids, counted = service.pids(), service.counted("street")
    service.listen()
    ends = governor(target=AMPLE)
    assert service.reload(ends, STREET, pipeline("yard", "rate = 5.0", SCENE)).returncode == 0
    service.until(lambda: set(service.states().values()) == {"running"}, 120.0)
    service.until(lambda: service.counted("street") > counted)
    assert service.pids() == pids
    said = service.stop()
    for name in ("street", "yard"):
        assert f"{name}: paused: quiet hours" in said and f"{name}: resumed: " in said
    assert covered(service, "paused_s") > 0.0


def test_whoever_begins_in_quiet_hours_looks_at_nothing(service: Managed) -> None:
    """Not for a frame, though the daemon looks at the board once in 10 s at night, and a worker that has just
    begun looks at once: a reload replaces one worker and brings another.
    """
    quiet = governor(quiet=["00:00-12:00", "12:00-00:00"], target=AMPLE)
    service.start(quiet, STREET)
    service.ready()
    service.until(lambda: service.states() == {"street": "paused"})
    assert service.counted("street") == 0
    yard = pipeline("yard", "rate = 5.0", SCENE)
    assert service.reload(quiet, STREET.replace("rate = 10.0", "rate = 8.0"), yard).returncode == 0
    service.until(lambda: service.states() == {"street": "paused", "yard": "paused"})
    service.until(lambda: min(made(service, name)["paused_s"] for name in ("street", "yard")) > 2.0)
    assert service.counted("yard") == 0 and made(service, "yard")["observed_s"] == 0.0
    pids = service.pids()
    assert service.reload(governor(enabled=False), STREET, yard).returncode == 0
    service.until(lambda: service.counted("yard") > 0)
    assert service.pids()["yard"] == pids["yard"]


def test_where_there_are_quiet_hours_others_are_worked_from_the_start(service: Managed) -> None:
    """Workers wait to be told which it is, and are told at once."""
    later = [datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours) for hours in (6, 7)]
    service.start(governor(quiet=["-".join(f"{one:%H:%M}" for one in later)], target=AMPLE), STREET)
    service.ready()
    service.until(lambda: service.counted("street") > 5)
    assert made(service, "street")["paused_s"] == 0.0
    assert "paused" not in service.stop()


def test_a_sensor_that_fails_counts_as_hot_until_it_speaks(service: Managed) -> None:
    service.start(governor(target=AMPLE), BUSY, program=SPOILT)
    service.ready()
    service.until(lambda: free(service, "clip") and service.status()["board"]["celsius"] is not None)
    (service.folder / "fault").write_text("gone")
    service.until(lambda: held(service, "blind", "clip"), 120.0)
    assert service.status()["board"]["blind"]
    (service.folder / "fault").unlink()
    service.until(lambda: free(service, "clip") and not service.status()["board"]["blind"], 120.0)
    said = service.stop()
    assert "sensor-blind: the temperature cannot be read" in said and "sensor-back: " in said
    assert "clip: throttled: the temperature cannot be read, and blind means hot" in said


def test_a_board_without_a_sensor_is_told_of_once_and_works(service: Managed) -> None:
    (service.folder / "fault").write_text("gone")
    service.start(governor(target=TIGHT), STREET, program=SPOILT)
    service.ready()
    service.until(lambda: any("there is no temperature sensor" in one for one in service.told), 120.0)
    assert free(service) and service.status()["board"]["target"] is None
    assert not service.status()["board"]["blind"]
    assert "no temperature sensor" in service.edged("status").stdout
    assert service.stop().count("sensor-absent: ") == 1


def test_under_voltage_cuts_at_once_and_work_comes_back(service: Managed) -> None:
    service.start(governor(target=AMPLE), BUSY, program=SPOILT)
    service.ready()
    service.until(lambda: free(service, "clip"))
    (service.folder / "fault").write_text("weak")
    service.until(lambda: held(service, "supply", "clip"))
    assert "under-voltage" in service.edged("status").stdout
    (service.folder / "fault").unlink()
    service.until(lambda: free(service, "clip"), 300.0)
    said = service.stop()
    assert said.count("edged: under-voltage: ") == 1 and "power-steady: " in said
    assert "clip: throttled: under-voltage: " in said and "of its speed" in said


def test_what_is_not_governed_is_only_watched(service: Managed) -> None:
    service.start(governor(target=TIGHT, enabled=False), STREET)
    line = service.ready()
    assert "budget 100 %" in line
    service.until(lambda: service.counted("street") > 20)
    board = service.status()["board"]
    assert board["celsius"] is not None and board["budget"] is None and not board["governed"]
    assert "not governed" in service.edged("status").stdout
    assert service.reload(governor(target=TIGHT), STREET).returncode == 0
    service.until(lambda: held(service, "heat"))
    assert service.reload(governor(target=TIGHT, enabled=False), STREET).returncode == 0
    counted = service.counted("street")
    service.until(lambda: service.counted("street") > counted + 5)
    said = service.stop()
    assert "throttled" in said or "paused" in said


def test_a_pipeline_goes_down_its_ladder_and_loses_no_worker(service: Managed) -> None:
    bundled = Path(__file__).parents[2] / "edged" / "models" / "activity.tflite"
    for name in ("big", "small"):
        (service.folder / f"{name}.tflite").write_bytes(bundled.read_bytes())
    models = "".join(f'[models.{name}]\nfile = "{name}.tflite"\n' for name in ("big", "small"))
    scene = '{ kind = "synthetic", width = 96, height = 96, fps = 240, held = 10 }'
    keys = 'rate = 0\nmodel = "big"\nladder = ["small"]\nprefer = "rate"'
    service.start(governor(target=58.2), models, pipeline("street", keys, scene))
    service.ready()
    pids = service.pids()
    service.until(lambda: course(service)["rung"] == 1)
    assert course(service)["model"] == "small" and "rung 2 of 2 (small)" in service.edged("status").stdout
    counted = service.counted("street")
    service.until(lambda: service.counted("street") > counted + 20)
    assert service.pids() == pids
    said = service.stop()
    assert "street: rung-changed: " in said and "big -> small" in said
    models_told = [row["models"] for one in service.rows()["coverage"] for row in one["rows"]]
    assert any("small" in str(one) for one in models_told)


#: Drawn beforehand and more than a core can look at, so that whatever is allowed is used.
MUCH = '{ kind = "synthetic", width = 96, height = 96, fps = 240, held = 10 }'


def test_two_pipelines_share_by_weight_and_everybody_is_told(service: Managed) -> None:
    """Status, top, report and journal say the same of one heat: rate, reason, seconds."""
    pair = pipeline("street", "rate = 240\nweight = 4", MUCH), pipeline("yard", "rate = 240", MUCH)
    service.start(governor(target=59.0), *pair)
    service.ready()
    service.until(lambda: all(0.0 < course(service, one)["share"] < 0.8 for one in ("street", "yard")), 120.0)
    service.until(lambda: course(service)["rate"] > 2.0 * course(service, "yard")["rate"], 120.0)
    service.until(lambda: all(one["made"]["throttled_s"] > 2.0 for one in service.status()["pipelines"]))
    status, top = service.edged("status").stdout, service.edged("top", "--once").stdout
    for shown in (status, top):
        assert " fps allowed: " in shown and "since it began: " in shown and " slower" in shown
        assert "held back: " in shown and "budget " in shown
    said = service.stop()
    assert re.search(r"street: throttled: \d+\.\d °C.* 59 °C: [\d.]+ fps -> [\d.]+ fps\n", said)
    for told in (service.edged("report", "--all").stdout, service.edged("report", "--all", "--table").stdout):
        assert "slower" in told
    for name in ("street", "yard"):
        assert covered(service, "throttled_s", name) > 0.0


def documented(page: str, first: str) -> set[str]:
    """The keys in the first column of the table whose first cell is ``first``."""
    table = page[page.index(f"| {first}") :].partition("\n\n")[0]
    return {
        key.removesuffix("[]")
        for row in table.splitlines()
        for key in re.findall(r"`(\S+?)`", row.split("|")[1])
    }


def test_the_page_names_every_key_of_status(service: Managed) -> None:
    page = (Path(__file__).parents[2] / "docs" / "control.md").read_text()
    service.start(governor(target=AMPLE), STREET)
    service.ready()
    service.until(lambda: service.counted("street") > 0)
    told = service.status()
    (street,) = told["pipelines"]
    assert set(told) == documented(page, "`version`")
    assert set(told["board"]) == documented(page, "`name`, `governed`")
    assert set(street) == documented(page, "`name`, `source`")
    for key, found in (
        ("config", told),
        ("clock", told),
        ("store", told),
        ("course", street),
        ("made", street),
    ):
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{key}` |")]
        assert set(found[key]) <= set(re.findall(r"`([a-z_]+)(?:\[\])?`", row)), key
    assert street["cpu"] is not None and street["memory"] > 0 and told["memory"] > 0


MEASURED = Profile(edged="1", measured="2026-01-01T00:00:00Z", board="simulated:zero2w,hot", cores=4)


def test_what_tune_measured_is_gone_by(service: Managed) -> None:
    """It is in force from the start; of another board it is told of and not believed."""
    place = service.folder / "state" / "profile.json"
    place.write_bytes(msgspec.json.encode(MEASURED))
    service.start(governor(target=AMPLE), STREET)
    line = service.ready()
    assert service.status()["board"]["profile"] == MEASURED.measured and "no profile" not in line
    service.stop()
    place.write_bytes(msgspec.json.encode(msgspec.structs.replace(MEASURED, board="simulated:pi4-bare")))
    service.told.clear()
    service.start(governor(target=AMPLE), STREET)
    line = service.ready()
    assert service.status()["board"]["profile"] is None
    service.until(
        lambda: any("no profile: " in one and 'this is "simulated:zero2w,hot"' in one for one in service.told)
    )
