"""Step 4: workers and the daemon die and freeze."""

from __future__ import annotations

import time

import pytest
from box import Box, pipeline


@pytest.fixture(autouse=True)
def at_work(box: Box) -> None:
    box.at_work()


@pytest.mark.parametrize(("signal", "what"), [("KILL", "killed"), ("STOP", "frozen")])
def test_a_worker_is_replaced_and_the_other_sees_every_second(box: Box, signal: str, what: str) -> None:
    status = box.counting()
    street, yard = pipeline(status, "street"), pipeline(status, "yard")
    since, began = box.now(), time.monotonic()
    box.run(f"kill -{signal} {yard['pid']}")
    status = box.until(
        f"the {what} worker is replaced",
        lambda now: (
            pipeline(now, "yard")["state"] == "running" and pipeline(now, "yard")["pid"] != yard["pid"]
        ),
        30,
    )
    box.figure(f"{what} worker to its successor's work", f"{time.monotonic() - began:.1f} s")
    assert pipeline(status, "yard")["restarts"] == yard["restarts"] + 1
    assert pipeline(status, "street")["pid"] == street["pid"]
    box.saw_every_second("street", since)
    assert box.coverage("yard", since - 1, since + 8)["blind_s"] > 0, (
        "yard was without a worker, and not blind"
    )
    (event,) = box.events("replaced", "-n 1")
    assert event["EDGED_PIPELINE"] == "yard"


def restarted_after(box: Box, signal: str, figure: str) -> int:
    """Send the daemon a signal that it cannot heed; its process before, once systemd has started it again."""
    box.counting()
    found = box.show("MainPID", "NRestarts")
    began = time.monotonic()
    box.run(f"kill -{signal} {found['MainPID']}")
    box.until_unit("it is started again", lambda now: now["NRestarts"] != found["NRestarts"], 60)
    box.figure(figure, f"{time.monotonic() - began:.0f} s")
    status = box.counting()
    assert int(box.show("NRestarts")["NRestarts"]) == int(found["NRestarts"]) + 1
    assert status["pid"] != int(found["MainPID"])
    return int(found["MainPID"])


def test_a_frozen_daemon_is_ended_by_the_watchdog_and_started_again(box: Box) -> None:
    before = restarted_after(box, "STOP", "frozen daemon to its restart")
    assert box.run(f"ps -o pid= --ppid {before}", check=False).out.strip() == "", "a worker was left behind"


def test_a_daemon_that_is_killed_is_started_again(box: Box) -> None:
    restarted_after(box, "KILL", "killed daemon to its restart")
