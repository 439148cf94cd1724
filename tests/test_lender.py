"""A camera that is unplugged and comes back: the locked worker goes on with what the daemon lends it.

The camera is a terminal's far end (pty(7)): a character device with a driver, whose reader learns of it when
it goes. Everything else is real: porter, wall, lock. V4L2 itself: hardware-tests/lab/test_locked.py.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from emulation import EMULATED
from stage import SCENE, Stage

from edged import lender, porter, process, supervise, wall
from edged.config.shape import Camera, V4l2
from edged.lender import Allowance, Lender, Porter
from edged.supervise import Keeper

UNIX98_SLAVES = 136  # Documentation/admin-guide/devices.txt
MEMORY = 1  # of /dev/null
PATIENCE = 30.0

pytestmark = pytest.mark.skipif(EMULATED, reason="an emulator's processes are too slow to be waited for")


class Camera0:
    """A camera by its name in a folder, giving ten frames a second while it is plugged in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._shows = threading.Event()
        self._end = -1
        self._thread = threading.Thread(target=self._give, daemon=True)
        self._gone = False
        self._lock = threading.Lock()
        self._thread.start()

    def plug(self, shows: bytes = b"a") -> None:
        ours, theirs = os.openpty()
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        name = os.ttyname(theirs)
        with self._lock:
            self._end, self._byte, self._theirs = ours, shows, theirs
        # There is no moment with half of it.
        self.path.with_suffix(".new").symlink_to(name)
        self.path.with_suffix(".new").rename(self.path)

    def unplug(self) -> None:
        self.path.unlink()
        with self._lock:
            os.close(self._theirs)
            os.close(self._end)
            self._end = -1

    def close(self) -> None:
        self._gone = True
        self._thread.join()
        if self._end >= 0:
            self.unplug()

    def _give(self) -> None:
        while not self._gone:
            with self._lock:
                if self._end >= 0:
                    with suppress(BlockingIOError):  # nobody reads
                        os.write(self._end, self._byte)
            time.sleep(0.1)


#: The real worker, but for its camera's calls. What that shows is its kind: another letter, another picture.
PROGRAM = """
import errno, os, select, sys, time
os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy as np
from edged.errors import UnavailableError
from edged.worker import loop, source

class Terminal:
    recorded, fps, dropped, rate, end = False, 10.0, 0, 0.0, -1
    def __init__(self, config, want):
        self.shape = want.height, want.width, want.channels
        self.path, self.kind = config.device, b""
        try:
            self.regain(os.open(self.path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY))
        except OSError:
            raise UnavailableError("there is none") from None
    def regain(self, descriptor):
        self.end = descriptor
        self.poll = select.poll()
        self.poll.register(self.end, select.POLLIN)
    def read(self, timeout):
        if not self.poll.poll(timeout * 1e3):
            return None
        try:
            letters = os.read(self.end, 4096)
        except OSError as error:
            letters = b""
        if not letters:
            self.close()
            raise source.LostError("the camera was unplugged", "plug it in again")
        self.kind = self.kind or letters[:1]
        if letters[:1] != self.kind:
            raise UnavailableError("it gives other pictures", "a new worker opens it as it is")
        picture = np.indices(self.shape[:2]).sum(axis=0)[..., None] * 7 % 256
        return source.Frame(np.broadcast_to(picture, self.shape).astype(np.uint8), time.monotonic())
    def close(self):
        if self.end >= 0:
            os.close(self.end)
            self.end = -1

source.opened = Terminal
{more}
os._exit(loop.main(sys.argv[1]))
"""


@pytest.fixture
def camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Camera0]:
    monkeypatch.setattr(lender, "VIDEO4LINUX", UNIX98_SLAVES)
    monkeypatch.setattr(supervise, "COMMAND", (sys.executable, "-I", "-c", PROGRAM.format(more="")))
    made = Camera0(tmp_path / "camera")
    made.plug()
    yield made
    made.close()


def works(stage: Stage, camera: Camera0) -> Keeper:
    keeper = stage.keep(source=V4l2(device=str(camera.path)))
    sees(stage)
    return keeper


def sees(stage: Stage) -> None:
    """It has looked at something from now on."""
    before = len(stage.heard.ticks)
    stage.until(lambda: any(tick.analysed for _, tick in stage.heard.ticks[before:]), PATIENCE)


def following(stage: Stage, count: int) -> list[wall.Tick]:
    """So many ticks that are told from now on."""
    before = len(stage.heard.ticks)
    stage.until(lambda: len(stage.heard.ticks) >= before + count, PATIENCE)
    return [tick for _, tick in stage.heard.ticks[before:]]


def test_the_same_worker_goes_on_with_it(stage: Stage, camera: Camera0) -> None:
    keeper = works(stage, camera)
    pid = keeper.pid
    for number in (1, 2):
        camera.unplug()
        stage.until(lambda: keeper.state == "lost", PATIENCE)
        assert all(tick.blind == tick.end - tick.start for tick in following(stage, 2))
        assert not keeper.blind, "its own ticks say so"
        camera.plug()
        stage.until(lambda: keeper.state == "running", PATIENCE)
        sees(stage)
        assert (len(stage.events("source-lost")), len(stage.events("source-back"))) == (number, number)
    assert (keeper.pid, keeper.restarts, keeper.why) == (pid, 0, "")
    keeper.stop()
    stage.until(lambda: not keeper.alive)
    assert not {"worker-broke-out", "wall-broken", "replaced"} & {event for _, event, _ in stage.heard.events}


def test_it_holds_what_it_was_lent_and_no_more(stage: Stage, camera: Camera0) -> None:
    keeper = works(stage, camera)
    folder = Path(f"/proc/{keeper.pid}/fd")
    try:
        before = len(list(folder.iterdir()))
    except PermissionError:
        pytest.skip("only root may look into a worker that is locked")
    ours = len(list(Path("/proc/self/fd").iterdir()))
    camera.unplug()
    stage.until(lambda: keeper.state == "lost", PATIENCE)
    camera.plug()
    sees(stage)
    assert (len(list(folder.iterdir())), len(list(Path("/proc/self/fd").iterdir()))) == (before, ours)


def test_lost_in_a_pause_it_is_lent_too(stage: Stage, camera: Camera0) -> None:
    keeper = works(stage, camera)
    pid = keeper.pid
    camera.unplug()
    stage.until(lambda: keeper.state == "lost", PATIENCE)
    keeper.direct(wall.Directive(10.0, paused=True))
    following(stage, 2)
    camera.plug()
    keeper.direct(wall.Directive(10.0))
    stage.until(lambda: keeper.state == "running", PATIENCE)
    sees(stage)
    assert (keeper.pid, keeper.restarts) == (pid, 0)


def test_back_in_a_pause_it_may_be_silent_until_that_is_over(
    stage: Stage, camera: Camera0, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In quiet hours nobody looks, so that a camera that came back in them cannot show that it sees."""
    program = PROGRAM.format(more="loop.REVIVED = 0.5")
    monkeypatch.setattr(supervise, "COMMAND", (sys.executable, "-I", "-c", program))
    keeper = works(stage, camera)
    pid = keeper.pid
    camera.unplug()
    stage.until(lambda: keeper.state == "lost", PATIENCE)
    keeper.direct(wall.Directive(10.0, paused=True))
    camera.plug()
    ticks = following(stage, 5)
    assert not any(tick.analysed for tick in ticks)
    keeper.direct(wall.Directive(10.0))
    stage.until(lambda: keeper.state == "running", PATIENCE)
    sees(stage)
    assert (keeper.pid, keeper.restarts) == (pid, 0)


def test_another_camera_is_for_its_successor(stage: Stage, camera: Camera0) -> None:
    keeper = works(stage, camera)
    pid = keeper.pid
    camera.unplug()
    stage.until(lambda: keeper.state == "lost", PATIENCE)
    camera.plug(b"b")
    stage.until(lambda: keeper.restarts == 1, PATIENCE)
    assert "other pictures" in stage.events("replaced")[0]
    sees(stage)
    assert keeper.pid != pid


def test_one_that_comes_and_goes_too_often_is_for_its_successor(
    stage: Stage, camera: Camera0, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = works(stage, camera)
    keeper._lender._allowance = Allowance(at_once=1)
    camera.unplug()
    stage.until(lambda: keeper.state == "lost", PATIENCE)
    camera.plug()
    sees(stage)
    camera.unplug()
    stage.until(lambda: keeper.restarts == 1, PATIENCE)
    assert "unplugged" in stage.events("replaced")[0] and len(stage.events("source-lost")) == 1


def test_one_that_goes_again_before_it_was_seen_is_told_of_once(stage: Stage, camera: Camera0) -> None:
    keeper = works(stage, camera)
    camera.unplug()
    stage.until(lambda: keeper.state == "lost", PATIENCE)
    since = keeper._lost_at
    keeper._has_lost()
    camera.plug()
    stage.until(lambda: keeper.state == "running", PATIENCE)
    assert (len(stage.events("source-lost")), keeper._lost_at) == (1, since)


def test_a_reload_does_not_wait_for_it(stage: Stage, camera: Camera0) -> None:
    keeper = works(stage, camera)
    camera.unplug()
    stage.until(lambda: keeper.state == "lost", PATIENCE)
    left: list[bool] = []
    keeper.retire(lambda: left.append(True))
    stage.until(lambda: left == [True], supervise.STOP_PATIENCE)


def test_a_worker_that_is_killed_is_lent_nothing(stage: Stage, camera: Camera0) -> None:
    keeper = works(stage, camera)
    camera.unplug()
    stage.until(lambda: keeper.state == "lost", PATIENCE)
    os.kill(keeper.pid, signal.SIGKILL)
    stage.until(lambda: keeper.restarts == 1, PATIENCE)
    assert not keeper._lender._seeks
    camera.plug()
    sees(stage)
    assert stage.events("source-back") == []


# --- the porter and who sends it


def brought(path: str, major: int) -> int:
    porter = Porter(path, major)
    os.waitid(os.P_PIDFD, porter.fileno(), os.WEXITED | os.WNOWAIT)
    return porter.brought()[0]


def test_a_porter_brings_the_device_and_nothing_else(tmp_path: Path) -> None:
    descriptor = brought("/dev/null", MEMORY)
    assert os.fstat(descriptor).st_rdev == Path("/dev/null").stat().st_rdev
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/null", str(tmp_path / "file"), str(tmp_path / "pipe"), str(tmp_path / "none")):
        assert brought(path, lender.VIDEO4LINUX) == -1


def test_what_takes_a_device_s_place_meanwhile_is_not_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at it and its opening."""
    (tmp_path / "file").touch()
    looked_at = Path("/dev/null").stat()
    with monkeypatch.context() as patch, pytest.raises(OSError, match=os.strerror(errno.ENODEV)):
        patch.setattr(porter.os, "stat", lambda path: looked_at)
        porter.opened(str(tmp_path / "file"), MEMORY)


def test_what_is_no_device_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To open a pipe is a deed: whoever waits at its other end goes on."""
    os.mkfifo(tmp_path / "pipe")
    with monkeypatch.context() as patch, pytest.raises(OSError, match=os.strerror(errno.ENODEV)):
        patch.setattr(porter.os, "open", lambda *given: pytest.fail("it was opened"))
        porter.opened(str(tmp_path / "pipe"), MEMORY)


def test_a_porter_is_small() -> None:
    """No site, no library of edged's or others'."""
    program = Path(lender.PORTER[-1]).read_text()
    said = subprocess.check_output(
        [*lender.PORTER[:-1], "-c", f"{program.partition('if __name__')[0]}\nprint(*sys.modules)"], text=True
    ).split()
    assert not [one for one in said if one.startswith(("edged", "numpy", "site", "socket", "selectors"))]


class Got:
    def __init__(self) -> None:
        self.descriptors: list[int] = []
        self.said: list[str] = []

    def __call__(self, descriptor: int) -> None:
        self.descriptors.append(descriptor)
        os.close(descriptor)


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lender, "VIDEO4LINUX", MEMORY)
    return tmp_path / "device"


def test_it_is_lent_once_it_is_there(stage: Stage, device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    got = Got()
    one = Lender(stage.reactor, str(device), got, got.said.append)
    one.seek()
    device.touch()  # there, and no device
    looks: list[float] = []
    after = one._appointments.after
    monkeypatch.setattr(one._appointments, "after", lambda *given: looks.append(given[0]) or after(*given))
    stage.until(lambda: len(looks) > 3)
    assert one._porter is None and not got.descriptors
    device.unlink()
    device.symlink_to("/dev/null")
    stage.until(lambda: len(got.descriptors) == 1)
    one.stop()


def test_what_cannot_be_opened_yet_is_tried_again(
    stage: Stage, device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.symlink_to("/dev/null")
    monkeypatch.setattr(lender, "PORTER", ("/bin/false",))
    got = Got()
    one = Lender(stage.reactor, str(device), got, got.said.append)
    one.seek()
    stage.until(lambda: one._retry > 2 * lender.RETRY_FIRST)
    monkeypatch.undo()
    monkeypatch.setattr(lender, "VIDEO4LINUX", MEMORY)
    stage.until(lambda: len(got.descriptors) == 1)


def test_what_is_there_and_cannot_be_opened_is_told(
    stage: Stage, device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody's terminal is that of a porter, which has a session of its own."""
    monkeypatch.setattr(lender, "VIDEO4LINUX", os.major(Path("/dev/tty").stat().st_rdev))
    device.symlink_to("/dev/tty")
    got = Got()
    one = Lender(stage.reactor, str(device), got, got.said.append)
    one.seek()
    stage.until(lambda: bool(got.said))
    assert got.said[0] == f"{device} is there again, and cannot be opened: No such device or address"
    one.stop()


def test_a_porter_that_hangs_is_killed_and_another_one_sent(
    stage: Stage, device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.symlink_to("/dev/null")
    monkeypatch.setattr(lender, "PORTER", (sys.executable, "-c", "import time; time.sleep(100)"))
    monkeypatch.setattr(lender, "SILENCE", 0.2)
    got = Got()
    one = Lender(stage.reactor, str(device), got, got.said.append)
    one.seek()
    pid = one._porter.pid
    stage.until(lambda: one._porter is None)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    stage.until(lambda: one._porter is not None)
    one.stop()
    stage.until(lambda: one._porter is None)
    assert got.descriptors == []


def test_nobody_is_lent_what_comes_too_late(stage: Stage, device: Path) -> None:
    device.symlink_to("/dev/null")
    got = Got()
    before = len(list(Path("/proc/self/fd").iterdir()))
    one = Lender(stage.reactor, str(device), got, got.said.append)
    one.seek()
    os.waitid(os.P_PIDFD, one._porter.fileno(), os.WEXITED | os.WNOWAIT)  # it has brought it already
    one.stop()
    stage.until(lambda: one._porter is None)
    assert got.descriptors == [] and len(list(Path("/proc/self/fd").iterdir())) == before


def test_no_room_for_a_process_is_tried_again(
    stage: Stage, device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.symlink_to("/dev/null")
    real, failed = process.spawned, []

    def none(*given: object) -> int:
        if not failed:
            failed.append(True)
            raise BlockingIOError
        return real(*given)

    monkeypatch.setattr(lender, "spawned", none)
    got = Got()
    one = Lender(stage.reactor, str(device), got, got.said.append)
    one.seek()
    stage.until(lambda: len(got.descriptors) == 1)


def test_only_what_takes_a_descriptor_is_lent_one() -> None:
    assert lender.device(V4l2(device="/dev/video3")) == "/dev/video3"
    assert lender.device(Camera()) == lender.device(SCENE) == ""


def test_an_allowance_comes_back_with_time() -> None:
    one = Allowance(at_once=2, refill=100.0)
    assert [one.takes(now) for now in (1.0, 1.0, 1.0, 100.9, 101.1, 101.2)] == [
        True,
        True,
        False,
        False,
        True,
        False,
    ]
