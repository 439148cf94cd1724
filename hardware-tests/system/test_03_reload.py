"""Step 3: a new config, right and wrong, while it counts."""

from __future__ import annotations

import pytest
from box import CONFIG, Box, config, pipeline, told


@pytest.fixture(autouse=True)
def at_work(box: Box) -> None:
    box.at_work()


def test_only_the_pipeline_that_changed_is_changed(box: Box) -> None:
    status = box.counting()
    street, yard = pipeline(status, "street"), pipeline(status, "yard")
    since = box.now()
    box.configure(config(yard_rate=2.0))
    done = box.run("systemctl reload edged")
    box.figure("systemctl reload", f"{done.took:.2f} s")
    status = box.until(
        "yard runs at its new rate",
        lambda now: pipeline(now, "yard")["rate"] == 2.0 and pipeline(now, "yard")["state"] == "running",
    )
    assert status["pid"] == int(box.show("MainPID")["MainPID"])
    assert pipeline(status, "street")["pid"] == street["pid"], "street did not change, and its worker did"
    assert pipeline(status, "yard")["pid"] != yard["pid"], "yard's worker did not change"
    box.saw_every_second("street", since)
    (event,) = box.events("reloaded", "-n 1")
    told(event["MESSAGE"], "yard")


def test_a_signal_reloads_too(box: Box) -> None:
    box.configure(config(yard_rate=3.0))
    box.run(f"kill -HUP {box.show('MainPID')['MainPID']}")
    box.until("yard has the new rate", lambda now: pipeline(now, "yard")["rate"] == 3.0, 20)


def test_a_wrong_config_is_refused_and_the_old_one_goes_on(box: Box) -> None:
    before, since = box.counting(), box.now()
    right = box.read(str(CONFIG))
    box.configure(right.replace("rate = 3.0", "rate = -1.0").replace("rate = 4.0", "rate = -1.0"))
    done = box.run("systemctl reload edged", check=False)
    assert done.status != 0, "systemctl reload calls a wrong config good"
    (event,) = box.events("reload-refused", "-n 1")
    told(event["MESSAGE"], "yard.rate")
    said = box.edged("reload", check=False)
    assert said.status == 2
    told(said.err, "yard.rate")
    after = box.counting()
    assert [one["pid"] for one in after["pipelines"]] == [one["pid"] for one in before["pipelines"]]
    assert box.show("ActiveState")["ActiveState"] == "active"
    box.configure(right)
    box.run("systemctl reload edged")
    for name in ("street", "yard"):
        box.saw_every_second(name, since)


def test_a_pipeline_comes_and_goes(box: Box) -> None:
    since = box.now()
    right = box.read(str(CONFIG))
    box.configure(right.replace("[pipelines.yard]", "[pipelines.yard]\nenabled = false"))
    box.run("systemctl reload edged")
    box.until("yard is gone", lambda now: "running" not in [one["state"] for one in now["pipelines"][1:]], 20)
    box.configure(right)
    box.run("systemctl reload edged")
    box.counting()
    box.saw_every_second("street", since)
