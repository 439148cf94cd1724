"""Step 2: it starts, says that it is ready, and tells those who may ask."""

from __future__ import annotations

import json
import statistics

import pytest
from box import Box, config, epoch, told

STAMPS = ("InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic")


def test_with_the_default_config_it_is_ready_and_says_why_it_does_not_count(box: Box) -> None:
    """A container has no camera; a board may have one."""
    found = box.show("ActiveState", "StatusText")
    assert found["ActiveState"] == "active"
    told(found["StatusText"], "camera", what="STATUS= does not explain")


@pytest.mark.essential
def test_it_starts_and_counts(box: Box) -> None:
    box.configure(config())
    # The default keeps no seconds: the minute that it has begun would stand for its seconds to the end.
    box.run("systemctl stop edged && rm /var/lib/edged/edged.db*")
    times = []
    for _ in range(3):
        box.run("systemctl stop edged && systemctl start edged")
        begun, ready = (int(value) for value in box.show(*STAMPS).values())
        times.append(abs(ready - begun) / 1e6)
        states = {one["name"]: one["state"] for one in (box.status() or {"pipelines": []})["pipelines"]}
        assert states == {"street": "running", "yard": "running"}, "it is READY before every pipeline counts"
    box.figure("systemctl start to READY", f"{statistics.median(times):.2f} s", "<= 2 s")
    box.counting()
    status = box.show("StatusText")["StatusText"]
    assert status and "\n" not in status
    box.figure("STATUS=", status if len(status) < 23 else f"{status[:21]}…")


def test_root_and_the_group_may_ask_and_a_stranger_may_not(box: Box) -> None:
    assert box.edged("status --json").status == 0
    member = box.edged("status --json", user="nobody", groups="edged")
    assert json.loads(member.out)["pipelines"], "a member of the group edged gets no status"
    report = box.edged("report --json", user="nobody", groups="edged")
    assert json.loads(report.out)["coverage"], "a member of the group edged gets no report"
    stranger = box.edged("status", user="nobody", check=False)
    assert stranger.status != 0, "a stranger got the status"
    told(stranger.err, "edged:")
    assert "Traceback" not in stranger.err


def test_a_member_of_the_group_may_change_nothing(box: Box) -> None:
    done = box.edged("reload", user="nobody", groups="edged", check=False)
    assert done.status != 0, "a member of the group has reloaded the config"
    told(done.err, "root")


def test_stopping_commits_the_last_bucket(box: Box) -> None:
    box.counting()
    times = []
    for _ in range(3):
        times.append(box.run("systemctl stop edged").took)
        ended = box.now()
        assert box.show("Result")["Result"] == "success", "it was killed, it did not stop"
        # The daemon is gone: the command opens the store itself, with the key from the credentials.
        counted = box.coverage("street", ended - 8, ended)
        assert counted["observed_s"] > 0, "a report without the daemon has nothing"
        last = max(box.numbers("street", ended - 8, ended))
        box.run("systemctl start edged")
        assert ended - epoch(last) < 3, f"the last second that was committed is {last}, it stopped at {ended}"
    box.figure("systemctl stop", f"{statistics.median(times):.2f} s", "<= 2 s")
    box.counting()
