"""The service as a manager runs it: ``edged.service`` in a process of its own, told by signals and by its
socket, telling us by ours. Real workers, real store.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import drafts
import pytest
from command import edged

from edged.control_client import Client, ask
from edged.errors import ControlError

HEAD = """
[daemon]
state_dir = "state"
runtime_dir = "run"
[clock]
trust = "always"
timezone = "UTC"
[store.keep]
second = "5y"
"""
SCENE = '{ kind = "synthetic", width = 96, height = 96, fps = 10.0 }'


def pipeline(name: str, more: str = "", source: str = SCENE) -> str:
    return f"[pipelines.{name}]\n{more}\nsource = {source}\n"


STREET, YARD = pipeline("street"), pipeline("yard")
ABSENT = pipeline("gate", source='{ kind = "v4l2", device = "/dev/no-such-camera" }')
REFUSED = pipeline("gate", 'measures = [{ kind = "occupancy" }]\nmodel = "mine"') + (
    '[models.mine]\nfile = "mine.tflite"\n'
)


class Managed:
    """A service, its manager, and what that was told."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.told = folder, list[str]()
        self.config = folder / "edged.toml"
        self._end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._end.bind(str(folder / "notify"))
        self._end.settimeout(0.05)
        self.process: subprocess.Popen[str]
        (folder / "state").mkdir(mode=0o700)
        subprocess.run(
            [sys.executable, "-m", "edged", "keys", "init", str(folder / "state" / "key")],
            check=True,
            capture_output=True,
        )

    def write(self, *parts: str) -> None:
        self.config.write_text("".join((HEAD, *parts)))

    def start(self, *parts: str, program: str = "", **environ: str) -> None:
        self.write(*parts)
        self.process = subprocess.Popen(
            [sys.executable, *(("-c", program) if program else ("-m", "edged.service")), str(self.config)],
            env={**os.environ, "NOTIFY_SOCKET": str(self.folder / "notify"), **environ},
            cwd=self.folder,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def listen(self) -> None:
        try:
            while True:
                self.told += self._end.recv(4096).decode().split("\n")
        except TimeoutError:
            return

    def until(self, condition: Callable[[], object], patience: float = 60.0) -> None:
        deadline = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < deadline, f"not within {patience} s; told {self.told}"
            self.listen()

    def ready(self) -> str:
        """Waits for it; the status line that came with it."""
        self.until(lambda: "READY=1" in self.told)
        return self.told[self.told.index("READY=1") + 1].removeprefix("STATUS=")

    def status(self) -> dict[str, Any]:
        return ask(self.folder / "run", "status")

    def pids(self) -> dict[str, int]:
        return {one["name"]: one["pid"] for one in self.status()["pipelines"]}

    def states(self) -> dict[str, str]:
        return {one["name"]: one["state"] for one in self.status()["pipelines"]}

    def counted(self, name: str) -> int:
        return next(one["analysed"] for one in self.status()["pipelines"] if one["name"] == name)

    def edged(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return edged(*arguments, cwd=self.folder)

    def reload(self, *parts: str) -> subprocess.CompletedProcess[str]:
        self.write(*parts)
        return self.edged("reload")

    def stop(self) -> str:
        """By SIGTERM; what it said on standard error."""
        self.process.send_signal(signal.SIGTERM)
        said = self.process.communicate(timeout=30)[1]
        self.listen()
        assert self.process.returncode == 0, said
        return said

    def rows(self, *arguments: str) -> dict[str, Any]:
        done = self.edged("report", "--all", "--json", "--every", "1s", *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)  # type: ignore[no-any-return]

    def end(self) -> None:
        if hasattr(self, "process") and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.communicate()
        self._end.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Managed]:
    one = Managed(tmp_path)
    yield one
    one.end()


def mine(service: Managed) -> None:
    """A copy of the bundled model, for which a measure can be wrong that a check cannot know."""
    bundled = Path(__file__).parents[2] / "edged" / "models" / "activity.tflite"
    (service.folder / "mine.tflite").write_bytes(bundled.read_bytes())


# --- ready


def test_ready_is_when_every_pipeline_counts_or_is_explained(service: Managed) -> None:
    mine(service)
    service.start(STREET, ABSENT, REFUSED.replace("gate", "door"))
    line = service.ready()
    assert line.startswith("1 of 3 pipelines count, budget 100 %")
    assert "gate: backoff: there is no device /dev/no-such-camera" in line and "door: refused: " in line
    status = service.status()
    assert status["ready"] and status["config"]["file"] == str(service.config)
    said = service.stop()
    assert "ready: 1 of 3 pipelines count; gate: backoff; door: refused" in said
    assert "STOPPING=1" in service.told and service.told.count("READY=1") == 1


def test_workers_learn_nothing_of_the_manager(service: Managed) -> None:
    service.start(STREET, WATCHDOG_USEC="30000000", WATCHDOG_PID="1")
    service.ready()
    assert Path(f"/proc/{service.pids()['street']}/environ").read_bytes().strip(b"\0") == b""


def test_a_daemon_whose_pipelines_are_all_refused_stays_and_a_reload_mends_it(service: Managed) -> None:
    mine(service)
    service.start(REFUSED)
    assert service.ready().startswith("0 of 1 pipeline counts; gate: refused: ")
    assert service.process.poll() is None
    done = service.reload(REFUSED.replace("occupancy", "presence"))
    assert done.returncode == 0 and "gate  running" in done.stdout
    service.stop()


def test_without_a_manager_it_ends_when_all_are_refused(service: Managed) -> None:
    mine(service)
    service.start(REFUSED, NOTIFY_SOCKET="")
    assert service.process.wait(60) == 3


def test_stopping_while_all_are_refused_is_a_good_end(service: Managed) -> None:
    mine(service)
    service.start(REFUSED)
    service.ready()
    service.stop()


def test_recordings_that_end_are_ready_first_and_end_it_with_0(service: Managed) -> None:
    short = SCENE.replace("}", ', pace = "fast", duration = 5.0 }')
    service.start(pipeline("clip", source=short))
    assert service.process.wait(60) == 0
    service.listen()
    assert service.told.index("READY=1") < service.told.index("STOPPING=1")


def test_a_failure_is_told_in_a_sentence(service: Managed) -> None:
    service.start("[pipelines]\n")
    said = service.process.communicate(timeout=60)[1]
    service.listen()
    assert service.process.returncode == 2 and "READY=1" not in service.told
    assert any(one.startswith("STATUS=failed: ") and "edged.toml" in one for one in service.told)
    assert "Traceback" not in said and "failed: " in said


# --- the watchdog


def test_progress_feeds_the_watchdog_though_a_worker_is_frozen(service: Managed) -> None:
    service.start(STREET, YARD, WATCHDOG_USEC="1500000")
    service.ready()
    os.kill(service.pids()["street"], signal.SIGSTOP)
    service.told.clear()
    service.until(lambda: service.status()["pipelines"][0]["restarts"] == 1, 30)
    assert service.told.count("WATCHDOG=1") >= 3
    service.until(lambda: service.states() == {"street": "running", "yard": "running"})


#: The whole service, but its keepers never look after a silent worker.
CARELESS = """
import sys
from edged import health, supervise
supervise.Keeper._judge = lambda self: None
health.SLACK = 1.0
supervise.PROGRESS_DEADLINE = 1.0
from edged import service
sys.exit(service.serve(sys.argv[1]))
"""


def test_a_daemon_whose_keepers_are_broken_starves_the_watchdog(service: Managed) -> None:
    service.start(STREET, YARD, program=CARELESS, WATCHDOG_USEC="900000")
    service.ready()
    os.kill(service.pids()["street"], signal.SIGSTOP)
    service.until(lambda: _starved(service), 60)
    assert "no progress, so the watchdog is not fed: nobody looks after street" in service.stop()


def _starved(service: Managed) -> bool:
    service.told.clear()
    deadline = time.monotonic() + 1.2
    while time.monotonic() < deadline:
        service.listen()
    return "WATCHDOG=1" not in service.told


# --- reload


def test_a_reload_touches_only_what_changed(service: Managed) -> None:
    service.start(STREET, YARD)
    service.ready()
    before = service.pids()
    done = service.reload(STREET, YARD.replace("[pipelines.yard]\n", "[pipelines.yard]\nrate = 2.0"))
    assert done.returncode == 0 and "changed  yard" in done.stdout and "yard  running" in done.stdout
    after = service.pids()
    assert after["street"] == before["street"] and after["yard"] != before["yard"]
    again = service.edged("reload")
    assert again.returncode == 0 and "changed  yard" in again.stdout, "just now, and so it is told"
    assert service.pids() == after
    service.until(lambda: service.counted("yard") > 4)
    service.listen()
    assert service.told.count("RELOADING=1") == service.told.count("READY=1") - 1 == 2
    said = service.stop()
    assert said.count("reloaded: ") == 1, "the second time there was nothing to say"
    for one in service.rows()["coverage"]:
        gaps = [row["blind_s"] for row in one["rows"][3:]]
        assert one["pipeline"] != "street" or sum(gaps) == 0.0, "the other one lost nothing"


def test_what_was_counted_stays_with_the_series_it_was_counted_as(service: Managed) -> None:
    activity = 'measures = [{ kind = "activity" }]'
    service.start(pipeline("street", activity))
    service.ready()
    service.until(lambda: service.counted("street") > 10)
    counted = service.counted("street")
    both = 'measures = [{ kind = "presence" }, { kind = "activity" }]'
    assert service.reload(pipeline("street", both)).returncode == 0
    service.until(lambda: service.counted("street") > counted + 10)
    service.stop()
    found = {one["measure"]: one["rows"] for one in service.rows()["series"]}
    assert len(found["activity"]) >= len(found["presence"]) + 2
    assert found["presence"][0]["start"] > found["activity"][0]["start"]


def test_a_wrong_config_changes_nothing_and_every_problem_is_told(service: Managed) -> None:
    service.start(STREET, YARD)
    service.ready()
    before = service.pids()
    done = service.reload(STREET.replace("\n\n", "\nrate = -1\n"), YARD.replace("\n\n", "\nmodel = 'x'\n"))
    assert done.returncode == 2
    for where in ("pipelines.street.rate: found -1", 'pipelines.yard.model: found "x"', "edged.toml:1"):
        assert where in done.stderr
    assert service.edged("reload").returncode == 2, "whoever asks is told each time"
    assert service.pids() == before
    status = service.edged("status").stdout
    assert "the file is refused, an older one is in force" in status, "it can be asked all the same"
    service.write(STREET, YARD)
    assert service.edged("reload").returncode == 0
    assert service.pids() == before and service.status()["config"]["refused"] == ""
    said = service.stop()
    assert said.count("pipelines.street.rate") == 1 and said.count("pipelines.yard.model") == 1
    assert "Traceback" not in said


@pytest.mark.parametrize("content", [None, "", "[", "\0", "[pipelines]\n"])
def test_a_config_that_is_none_any_more_changes_nothing(service: Managed, content: str | None) -> None:
    service.start(STREET)
    service.ready()
    before = service.pids()
    service.config.unlink()
    if content is not None:
        service.config.write_text(content)
    answer = ask(service.folder / "run", "reload")
    assert not answer["accepted"] and str(service.config) in answer["problems"][0]
    assert service.pids() == before
    service.process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    said = service.stop()
    assert said.count("reload-refused") == 1, "the signal had nothing new to say"


def test_keys_that_need_a_restart_are_named_and_the_rest_is_applied(service: Managed) -> None:
    service.start(STREET)
    service.ready()
    service.write(STREET, YARD)
    text = service.config.read_text().replace('timezone = "UTC"', 'timezone = "Asia/Tokyo"')
    service.config.write_text(
        text.replace("[store.keep]", "[store]\ncommit_every = 1\n[store.keep]\nminute = 0")
    )
    done = service.edged("reload")
    assert done.returncode == 0, done.stderr
    assert "needs a restart  clock.timezone" in done.stdout and "added  yard" in done.stdout
    assert "set  store.commit_every, store.keep.minute" in done.stdout
    service.until(lambda: service.status()["store"]["last_commit_age_s"] is not None, 5)
    assert service.status()["config"]["waits_for_restart"] == ["clock.timezone"]
    assert service.stop().count("needs-restart: ") == 1


def test_the_log_level_is_applied(service: Managed) -> None:
    service.start(STREET)
    service.ready()
    service.write(STREET)
    service.config.write_text(service.config.read_text().replace("[daemon]", '[daemon]\nlog_level = "debug"'))
    assert "set  daemon.log_level" in service.edged("reload").stdout
    counted = service.counted("street")
    service.until(lambda: service.counted("street") > counted)
    assert "tick " in service.stop()


def test_a_model_that_is_another_file_now_is_opened_again(service: Managed) -> None:
    mine(service)
    model = '[models.mine]\nfile = "mine.tflite"\n'
    service.start(pipeline("street", 'model = "mine"'), YARD, model)
    service.ready()
    before = service.pids()
    fresh = service.folder / "fresh.tflite"
    fresh.write_bytes((service.folder / "mine.tflite").read_bytes())
    fresh.replace(service.folder / "mine.tflite")
    done = service.edged("reload")
    assert "changed  street" in done.stdout
    after = service.pids()
    assert after["street"] != before["street"] and after["yard"] == before["yard"]
    assert "nothing has changed" not in done.stdout
    service.stop()


def test_a_signal_reloads_and_signals_that_come_at_once_are_one_change(service: Managed) -> None:
    service.start(STREET)
    service.ready()
    service.write(STREET, YARD)
    for _ in range(5):
        service.process.send_signal(signal.SIGHUP)
    service.until(lambda: service.states() == {"street": "running", "yard": "running"})
    service.until(lambda: service.status()["ready"])
    said = service.stop()
    assert said.count("reloaded: ") == 1 and said.count("yard: started") == 1
    reloads = [place for place, one in enumerate(service.told) if one == "RELOADING=1"]
    assert reloads and "READY=1" in service.told[reloads[-1] :], "what is begun is ended"


def test_a_signal_during_the_start_is_heeded_after_it(service: Managed) -> None:
    service.start(STREET)
    service.until(lambda: service.told)  # its loop does not turn yet, its worker has not looked yet
    service.write(STREET, YARD)
    service.process.send_signal(signal.SIGHUP)
    service.until((service.folder / "run" / "control.sock").exists)
    service.until(lambda: set(service.pids()) == {"street", "yard"})
    service.ready()
    service.stop()


def test_reloads_that_contradict_each_other_leave_the_last_in_force(service: Managed) -> None:
    service.start(STREET, YARD)
    service.ready()
    for rate in (1, 2, 3, 4):
        service.write(STREET.replace("\n\n", f"\nrate = {rate}\n"), *([YARD] * (rate % 2)))
        assert ask(service.folder / "run", "reload")["accepted"]
    service.until(lambda: service.states() == {"street": "running"})
    assert service.status()["pipelines"][0]["rate"] == 4.0
    service.until(lambda: service.status()["ready"])
    service.stop()


#: A classifier of four classes, and a pipeline that asks for one of them.
NAMED = pipeline("gate", 'model = "four"\nmeasures = [{ kind = "presence", labels = ["bird"] }]') + (
    '[models.four]\nfile = "four.tflite"\nlabels_file = "four.txt"\nmean = [0]\nstd = [1]\n'
)
UNKNOWN = NAMED.replace('labels = ["bird"]', 'labels = ["brid"]')


def four(service: Managed) -> None:
    """Its labels are in a file of their own, which no check reads."""
    (service.folder / "four.tflite").write_bytes(drafts.scoring())
    (service.folder / "four.txt").write_text("cat\ndog\nbird\nfish\n")


def test_a_label_that_the_model_does_not_know_is_refused_and_the_worker_that_works_goes_on(
    service: Managed,
) -> None:
    four(service)
    service.start(NAMED, STREET)
    service.ready()
    before = service.pids()
    done = service.reload(UNKNOWN, pipeline("street", "rate = 2.0"))
    assert done.returncode == 2, done.stdout
    place = "pipelines.gate.measures[0].labels[0]"
    assert re.search(
        rf'edged.toml:\d+: {re.escape(place)}: found "brid", .*allowed: "bird", "cat"', done.stderr
    )
    assert service.pids() == before, "of the other changes none is in force either"
    assert place in service.edged("status").stdout and set(service.states().values()) == {"running"}
    assert service.edged("reload").returncode == 2, "whoever asks is told each time"
    done = service.reload(NAMED.replace("bird", "fish", 1), pipeline("street", "rate = 2.0"))
    assert done.returncode == 0 and "changed  gate, street" in done.stdout
    assert service.status()["config"]["refused"] == "" and not set(before.values()) & set(
        service.pids().values()
    )
    said = service.stop()
    assert said.count("reload-refused: ") == 1 and said.count("gate: refused") == 0


def test_a_model_s_file_that_is_exchanged_for_another_is_looked_at_too(service: Managed) -> None:
    four(service)
    service.start(NAMED)
    service.ready()
    before = service.pids()
    (service.folder / "four.tflite").write_bytes(b"half of it")
    done = service.edged("reload")
    assert done.returncode == 2 and "pipelines.gate.model: found" in done.stderr
    assert service.pids() == before and service.states() == {"gate": "running"}
    service.stop()


def test_signals_and_questions_while_models_are_looked_at_are_one_refusal(service: Managed) -> None:
    """Each begins it anew or joins it, and who asks gets the answer to what the file says last."""
    four(service)
    service.start(NAMED)
    service.ready()
    before = service.pids()
    service.write(UNKNOWN)
    with Client(service.folder / "run", 30.0) as one, Client(service.folder / "run", 30.0) as other:
        for client in (one, other):
            client._say('{"verb": "reload"}')
            service.process.send_signal(signal.SIGHUP)
        answers = [client._hear()[1]["result"] for client in (one, other)]
        assert [answer["accepted"] for answer in answers] == [False, False]
        one._say('{"verb": "reload"}')
        time.sleep(0.05)
        service.write(NAMED.replace("bird", "fish", 1))
        other._say('{"verb": "reload"}')
        assert [client._hear()[1]["result"]["accepted"] for client in (one, other)] == [True, True]
    service.until(lambda: service.pids() != before and service.states() == {"gate": "running"})
    service.until(lambda: service.status()["ready"])
    said = service.stop()
    assert said.count("reload-refused: ") == 1 and said.count("reloaded: ") == 1


def test_the_end_while_models_are_looked_at_leaves_nobody_behind(service: Managed) -> None:
    four(service)
    service.start(NAMED)
    service.ready()
    service.write(UNKNOWN)
    with Client(service.folder / "run", 30.0) as client:
        client._say('{"verb": "reload"}')
        own = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
        service.until(lambda: len(own.read_text().split()) == 2)
        said = service.stop()
        with pytest.raises((OSError, ValueError)):
            client._hear()
    assert "reload" not in said and "Traceback" not in said


# --- the end


def test_the_end_comes_and_everything_is_committed_though_workers_are_frozen(service: Managed) -> None:
    service.start(STREET, YARD)
    service.ready()
    os.kill(service.pids()["street"], signal.SIGSTOP)
    service.until(lambda: service.counted("yard") > 10)
    began = time.monotonic()
    service.stop()
    assert time.monotonic() - began < 5
    coverage = {one["pipeline"]: one["rows"] for one in service.rows()["coverage"]}
    assert sum(row["analysed"] for row in coverage["yard"]) > 10
    assert sum(row["blind_s"] for row in coverage["street"]) > 1.0
    assert not (service.folder / "run" / "control.sock").exists()


def test_a_second_signal_changes_nothing(service: Managed) -> None:
    service.start(STREET)
    service.ready()
    os.kill(service.pids()["street"], signal.SIGSTOP)
    for _ in range(10):
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    said = service.process.communicate(timeout=30)[1]
    assert service.process.returncode == 0
    assert said.count("stopped: everything is committed") == 1 and "Traceback" not in said


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6])
def test_the_end_during_the_start_is_a_good_one_and_leaves_no_worker(service: Managed, moment: float) -> None:
    service.start(STREET)
    # Not before it is Python's own: until then the signal ends it as it ends any program.
    deadline = time.monotonic() + 60
    while b"edged.service" not in Path(f"/proc/{service.process.pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline
    time.sleep(moment)
    service.process.send_signal(signal.SIGTERM)
    said = service.process.communicate(timeout=30)[1]
    assert service.process.returncode in (0, -signal.SIGTERM) and "Traceback" not in said
    if service.told:
        assert service.process.returncode == 0


def test_the_end_during_a_reload(service: Managed) -> None:
    service.start(STREET, YARD)
    service.ready()
    service.until(lambda: service.counted("yard") > 5)
    service.write(STREET.replace("\n\n", "\nrate = 1\n"), pipeline("third"))
    assert ask(service.folder / "run", "reload")["accepted"]
    service.stop()
    assert {one["pipeline"] for one in service.rows()["coverage"]} >= {"street", "yard"}
    with pytest.raises(ControlError):
        service.status()


def test_a_reload_during_the_end_is_no_more(service: Managed) -> None:
    service.start(STREET)
    service.ready()
    os.kill(service.pids()["street"], signal.SIGSTOP)
    service.write(STREET, YARD)
    service.process.send_signal(signal.SIGTERM)
    service.until(lambda: "STOPPING=1" in service.told)
    service.process.send_signal(signal.SIGHUP)
    said = service.process.communicate(timeout=30)[1]
    assert service.process.returncode == 0 and "reloaded" not in said


#: The whole service, impatient, but not so that a tick a second is late on a busy machine.
HASTY = """
import sys
from edged import health, supervise
health.SLACK = 0.5
supervise.PROGRESS_DEADLINE = 3.0
from edged import service
sys.exit(service.serve(sys.argv[1]))
"""


def test_a_freezer_that_lets_go_again_is_nobodys_fault(service: Managed) -> None:
    service.start(STREET, program=HASTY, WATCHDOG_USEC="900000")
    service.ready()
    service.until(lambda: service.counted("street"))
    frozen = (service.process.pid, service.pids()["street"])
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for pid in frozen:
            os.kill(pid, number)
        time.sleep(6.0 if number == signal.SIGSTOP else 0.0)  # longer than it has patience
    service.listen()
    service.told.clear()
    service.until(lambda: service.told.count("WATCHDOG=1") >= 2)
    assert service.pids()["street"] == frozen[1]
    assert "no progress" not in service.stop()


#: A session of which standard input is the terminal.
ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_a_terminal_that_closes_ends_it_and_a_signal_from_elsewhere_does_not(service: Managed) -> None:
    ours, theirs = os.openpty()
    service.write(STREET)
    process = service.process = subprocess.Popen(
        [sys.executable, "-c", ON_TERMINAL, sys.executable, "-m", "edged", "run", str(service.config)],
        cwd=service.folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        text=True,
    )
    os.close(theirs)
    service.until(lambda: (service.folder / "run" / "control.sock").exists() and service.counted("street"))
    service.write(STREET, YARD)
    process.send_signal(signal.SIGHUP)
    service.until(lambda: set(service.pids()) == {"street", "yard"})
    os.close(ours)
    assert process.wait(30) == 0
    assert service.rows()["coverage"]
