"""Step 8: it keeps itself cool under the real unit: what its sandbox lets it read, and what it does about it.

A container has no sensors, and on a board nobody can tell them what to say. So the unit is lent a thermal
zone of ours at the place of the kernel's own, by a drop-in; and there is the simulated board.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from box import BASE, PIPELINE, Box, config, pipeline, stamp, told

#: The kernel's thermal zones as the service sees them are in a folder of ours. A sensor trembles; this one
#: by half a degree.
SENSORS = "/opt/edged-sensors"
ZONE = f"{SENSORS}/thermal/thermal_zone0"
LENT = f"""
mkdir -p {ZONE} /run/systemd/system/edged.service.d
echo cpu-thermal >{ZONE}/type
echo 45000 >{ZONE}/temp
echo 45 >{SENSORS}/celsius
printf '[Service]\\nBindReadOnlyPaths={SENSORS}/thermal:/sys/class/thermal\\n' \\
  >/run/systemd/system/edged.service.d/90-sensors.conf
systemctl daemon-reload
"""
TREMBLES = f"""
more=0
while read -r celsius <{SENSORS}/celsius; do
  more=$((500 - more))
  if [ -d {ZONE} ]; then echo $((celsius * 1000 + more)) >{ZONE}/temp; fi
  sleep 0.5
done
"""
RETURNED = f"""
rm -rf {SENSORS} /run/systemd/system/edged.service.d/90-sensors.conf
systemctl daemon-reload
systemctl restart edged
"""
#: At rest a Zero 2 W in 40 °C is at 57.75 °C: this target leaves it something, and not all that is asked.
TIGHT, AMPLE = 58.5, 95.0
SIMULATED = BASE + '[governor]\nboard = "simulated:zero2w,hot"\ntarget = {target}\n'
BUSY = PIPELINE.format(name="busy", rate=240.0).replace("fps = 10.0", "fps = 240.0")
#: It takes a whole core.
CLIP = PIPELINE.format(name="clip", rate=10.0) + 'pace = "fast"\n'
#: What only a kernel with such a driver tells.
OUTSIDE = """
import json
from edged.board import opened
import msgspec, time
board = opened("auto")
board.look(time.monotonic())
time.sleep(1.0)
print(json.dumps(msgspec.structs.asdict(board.look(time.monotonic()))))
"""
#: The names of readings in the status, where they are not those of a look.
IN_THE_STATUS = {"celsius": "temperature", "busy": "busy", "pressure": "pressure", "clock": "clock"}
IN_THE_STATUS |= {"under_voltage": "under_voltage", "voltage": "voltage", "watts": "power", "limit": "limit"}
IN_THE_STATUS |= {"battery": "charge", "draining": "draining", "fan_rpm": "fan", "case": "case"}
IN_THE_STATUS |= {"accelerator": "accelerator"}


@pytest.fixture
def sensors(box: Box) -> Iterator[None]:
    """The service has a thermal zone that says what we want."""
    box.configure("[governor]\ntarget = 70.0\n" + config())
    box.run(LENT)
    sensor = box.machine.begin(TREMBLES)
    box.run("systemctl restart edged")
    box.counting()
    yield
    box.run(RETURNED)
    sensor.wait(30)


def warm(box: Box, celsius: int) -> None:
    """The lent sensor says so from now on."""
    box.run(f"echo {celsius} >{SENSORS}/next && mv {SENSORS}/next {SENSORS}/celsius")
    box.until(f"it sees {celsius} °C", lambda now: near(now, celsius))


def near(status: dict[str, Any], celsius: float) -> bool:
    told_celsius = status["board"]["celsius"]
    return told_celsius is not None and abs(told_celsius - celsius) < 1.0


def held(by_what: str, name: str) -> Callable[[dict[str, Any]], bool]:
    """Whether that binds and the pipeline is slower for it, or rests."""
    return lambda now: now["board"]["concern"] == by_what and pipeline(now, name)["course"]["share"] < 1.0


def seconds(box: Box, name: str, key: str, when: str = "--all") -> float:
    """What the store has of that."""
    answer = json.loads(box.edged(f"report --json --every 1s --pipeline {name} {when}").out)
    rows = [row for one in answer["coverage"] for row in one["rows"]]
    return float(sum(row[key] for row in rows))


def test_the_sandbox_hides_nothing_that_the_governor_reads(box: Box) -> None:
    """What root sees of the board outside of the sandbox, the daemon sees inside."""
    box.at_work()
    outside = json.loads(box.python(OUTSIDE))
    board = box.until("it has looked twice", lambda now: now["board"]["busy"] is not None)["board"]
    hidden = {
        name for name, field in IN_THE_STATUS.items() if outside[field] is not None and board[name] is None
    }
    assert hidden == set(), f"outside {outside}, inside {board}"
    assert outside["busy"] is not None, "not even /proc/stat: this proves nothing"
    box.figure(
        "readings of the board under the unit", str(sum(board[one] is not None for one in IN_THE_STATUS))
    )


@pytest.mark.usefixtures("sensors")
def test_it_is_held_back_by_heat_and_recovers(box: Box) -> None:
    since = box.now()
    for celsius in (55, 65, 72, 75):
        warm(box, celsius)
    box.until("heat holds it back", held("heat", "street"))
    said = box.edged("status").out
    told(said, "held back: ", "°C", "target 70")
    for celsius in (60, 50, 45):
        warm(box, celsius)
    box.until("it has its rate again", lambda now: pipeline(now, "street")["course"]["share"] == 1.0, 180)
    heard = [one for name in ("throttled", "paused") for one in box.events(name, f"--since @{int(since)}")]
    assert heard and all("°C" in one["EDGED_REASON"] for one in heard), heard
    box.counting()
    when = f"--from {stamp(since)}"
    assert sum(seconds(box, "street", one, when) for one in ("throttled_s", "paused_s")) > 0.0


@pytest.mark.usefixtures("sensors")
def test_a_sensor_that_goes_is_blind_and_comes_back(box: Box) -> None:
    warm(box, 46)
    box.run(f"mv {ZONE} {SENSORS}/away")
    status = box.until("it is blind", lambda now: bool(now["board"]["blind"]))
    assert status["board"]["budget"] < 1.0, status["board"]
    told(box.edged("status").out, "the temperature cannot be read")
    said = "systemctl show edged --property=StatusText | grep 'the temperature cannot be read'"
    box.until_run("STATUS= says so", said, 60)
    counted = pipeline(status, "street")["analysed"]
    box.until("the least goes on", lambda now: pipeline(now, "street")["analysed"] > counted + 3)
    box.run(f"mv {SENSORS}/away {ZONE}")
    box.until("it sees again", lambda now: not now["board"]["blind"] and near(now, 46.0))
    (gone,), (back,) = box.events("sensor-blind", "-n 1"), box.events("sensor-back", "-n 1")
    told(gone["MESSAGE"], "blind counts as hot")
    assert gone["__REALTIME_TIMESTAMP"] < back["__REALTIME_TIMESTAMP"]


def test_on_a_simulated_board_it_is_throttled_and_says_why(box: Box) -> None:
    since = box.now()
    box.configure(SIMULATED.format(target=TIGHT) + BUSY)
    box.run("systemctl restart edged")
    box.until("it is held back", held("heat", "busy"), 180)
    box.until_run("status says why", "edged status | grep 'held back: .* °C.* 58.5 °C'")
    told(box.edged("status").out, "simulated:zero2w,hot", "fps allowed: ")
    heard = box.events("throttled", f"--since @{int(since)}")
    assert heard and heard[-1]["EDGED_PIPELINE"] == "busy", heard
    told(heard[-1]["MESSAGE"], "58.5 °C", " fps", what="the journal does not say")
    box.figure("throttled", heard[-1]["MESSAGE"].rpartition(": ")[2])
    explained = box.run("journalctl --quiet --no-pager --catalog -n 1 EDGED_EVENT=throttled").out
    told(explained, "Defined-By: edged", "looks less often", what="journalctl -x does not say")
    box.until("the store has it", lambda _: seconds(box, "busy", "throttled_s") > 1.0)
    told(box.edged("report --all --pipeline busy").out, "slower", what="the report does not say")
    box.configure(SIMULATED.format(target=AMPLE) + BUSY)
    box.run("systemctl reload edged")
    box.until("it works as asked", lambda now: pipeline(now, "busy")["course"]["share"] == 1.0, 180)
    assert box.events("eased", f"--since @{int(since)}")


def test_not_governed_nothing_holds_it_back(box: Box) -> None:
    """The same heat, the governor off: what the step before saw was the governor."""
    since = int(box.now())
    box.configure(SIMULATED.format(target=TIGHT).replace("[governor]", "[governor]\nenabled = false") + CLIP)
    box.run("systemctl restart edged")
    status = box.until("it is too hot", lambda now: (now["board"]["celsius"] or 0.0) > TIGHT + 1.0, 300)
    assert pipeline(status, "clip")["course"] is None
    assert box.events("throttled", f"--since @{since}") == []
